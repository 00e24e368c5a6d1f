"""The figures of the study for any set of runs: a tidy table each, and how it is drawn.

Matplotlib takes a second to import, so nothing here imports it before something is drawn.
"""

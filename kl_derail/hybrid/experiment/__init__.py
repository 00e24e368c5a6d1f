"""Experiments: settings, seeds, trials in parallel, and the log that figures and tables are made from."""

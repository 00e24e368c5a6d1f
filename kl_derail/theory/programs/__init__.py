"""A small prefix-free language of programs that predict a chat of actions and observations.

A program is a machine of a few states, or `switch(body, event, utility)`: another program until the
event, then an optimiser. Each has a code of bits, none the beginning of another; its length is
the program's complexity. A printed form can be read and typed.
"""

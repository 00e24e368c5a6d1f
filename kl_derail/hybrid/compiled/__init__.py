"""Numba kernels that run one whole trial, step by step equal to the readable reference."""

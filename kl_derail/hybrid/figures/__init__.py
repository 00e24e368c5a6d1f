"""Figures and tables of hybrid RL, rebuilt from the log alone."""

from kl_derail.hybrid.figures.draw import draw

__all__ = ["draw"]

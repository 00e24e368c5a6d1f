"""kl_derail: study how KL-regularised RL agents derail, token by token and nat by nat."""

__version__ = "0.1.0"

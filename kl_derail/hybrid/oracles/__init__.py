"""Oracles: data in; value estimate and uncertainty for policies out."""

"""Weights that are learnt from photographs, so that two networks lie on one slider."""

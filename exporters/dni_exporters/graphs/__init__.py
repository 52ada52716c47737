"""Graphs rewritten: the blend added, BatchNorm folded, weights made smaller, linked or baked."""

"""Checkpoints from strangers: read without running anything, down to state dicts that can be blended."""

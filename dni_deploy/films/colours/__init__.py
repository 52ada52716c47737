"""Colours: what the numbers of a film's pixels mean, and their way to the network's full-range RGB and back."""

"""Convolutions in channels-last order, with as few transposed bytes as can be."""

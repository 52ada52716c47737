"""What PyTorch's exporter cannot follow, in known networks or in any, in other words that compute the same."""

"""What can be asked of an export: what goes together, what other people's programs need, how old readers may be."""

"""Does the straight line between networks work? Told from what they do to photographs: kinship by weights does not."""

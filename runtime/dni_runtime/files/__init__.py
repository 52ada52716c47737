"""Files, a stranger's and our own: what a path is, what is allowed in one, and writing it whole or not at all."""

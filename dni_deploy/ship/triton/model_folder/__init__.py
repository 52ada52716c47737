"""One model's folder in a repository: its configuration written, and read again as a stranger's."""

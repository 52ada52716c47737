"""HAProxy in front of several servers."""

"""The network as a graph: its calculation traced once, without its weights."""

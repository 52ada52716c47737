"""What PyTorch computes, and whether a written file computes the same."""

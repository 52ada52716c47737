"""How it is measured: agreement first, then interleaved rounds, medians, memory, disk, and on what machine."""

"""The command line: `dni`, and `dni-export`, which is `dni export`.

Here are arguments, options and what is printed; the work is the library's. Help is instant: what takes long to import
is imported by the command that needs it.
"""

from .dni import export_main, main

__all__ = ["export_main", "main"]

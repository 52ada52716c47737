"""What sessions on the CPU are made with."""

from dni_runtime.errors import InputError

# Whether a session on the CPU plans beforehand which values share memory. ONNX Runtime 1.31's plan takes time by the
# square of the number of nodes (0.55 s of RRDBNet-23's 0.6) and gains nothing, as its allocator gives freed memory
# again: without it results and peaks of memory are equal, and calls take 0.99 to 1.00 of the time (baked Real-CUGAN,
# waifu2x photo, HAT, NAFNet, DRCT).
PLANS_REUSE = False


def check_threads(threads: int | None) -> None:
    """Raise InputError unless `threads` is a number of threads, or None."""
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}; expected 1 or more, or None for ONNX Runtime's own choice")

"""What errors of libraries say, in a sentence."""


def why(error: Exception) -> str:
    """What an error of a library says, in a word or a sentence."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error).strip() or type(error).__name__

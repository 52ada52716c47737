"""`dni ship triton` as a test calls it."""

from commands import Result, dni


def ship(*arguments: object) -> Result:
    return dni("ship", "triton", *arguments)

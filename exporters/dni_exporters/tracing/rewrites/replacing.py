"""Another form of a part of a network, for a while."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def replaced(parts: Iterable[tuple[Any, str, Any]]) -> Iterator[None]:
    """Within, for each (owner, name, value) of `parts`, the attribute `name` of `owner` is `value`."""
    with ExitStack() as stack:
        for owner, name, value in parts:
            stack.enter_context(patch.object(owner, name, value))
        yield

"""What opening a model gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dni_runtime.metadata import Metadata
from dni_runtime.signature import Signature

from .runners import Runner

if TYPE_CHECKING:
    from dni_runtime.averages.network import AveragesNetwork


@dataclass(frozen=True, slots=True)
class Opened:
    """A runner and what it runs; `metadata` is None where the file has none.

    open_averages:  makes, for images in tiles, a session of a network that looks at averages; None where it cannot be.
    image_multiple: of which heights and widths have to be multiples there, beside what the metadata says.
    """

    runner: Runner
    signature: Signature
    metadata: Metadata | None
    provider: str
    provider_note: str
    device_id: int = 0
    open_averages: Callable[[], AveragesNetwork | None] = lambda: None
    image_multiple: int = 1

"""What results are made with: the model, where it runs, and the tiles that images are cut into."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dni_runtime import Model, load


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeWith:
    """All that results have in common.

    model, provider, provider_options, threads: as for `dni_runtime.load`.
    tile, overlap:                              as for `Model.enhance`.
    """

    model: Path
    provider: str = "auto"
    provider_options: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None
    tile: int | None = None
    overlap: int | None = None

    def load(self) -> Model:
        """The model, opened as it is wanted. Raises as `dni_runtime.load` does."""
        return load(self.model, self.provider, threads=self.threads, provider_options=self.provider_options)

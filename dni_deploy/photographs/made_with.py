"""What results are made with: the model, where it runs, and all options that change their pixels or their files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dni_deploy.image_files.writing import Writing
from dni_runtime import Model, load


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeWith:
    """All that results have in common.

    model, provider, provider_options, threads: as for `dni_runtime.load`.
    tile, overlap, wrap:                        as for `Model.enhance`.
    alpha_mask, levels:                         a grey picture of how strong alpha is where, and at how many alphas the
                                                network runs for it.
    output_scale:                               how many times as large as the input the result is; None for the
                                                network's own factor.
    writing:                                    how the results become files.
    """

    model: Path
    provider: str = "auto"
    provider_options: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None
    tile: int | None = None
    overlap: int | None = None
    wrap: bool = False
    alpha_mask: Path | None = None
    levels: int = 5
    output_scale: float | None = None
    writing: Writing = field(default_factory=Writing)

    def load(self) -> Model:
        """The model, opened as it is wanted. Raises as `dni_runtime.load` does."""
        return load(self.model, self.provider, threads=self.threads, provider_options=self.provider_options)

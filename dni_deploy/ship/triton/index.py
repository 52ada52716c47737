"""index.json of a repository: what its models are, and which one is baked for which alpha."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dni_deploy.ship.model_file import ModelFile
from dni_runtime import InputError, OutputError, format_alpha
from dni_runtime.files.regular_file import open_file, why_no_file

INDEX = "index.json"
_FORMAT = 1
_LARGEST_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Index:
    """models: by name, what they are. alphas: the name of the model baked for an alpha, by its decimal text."""

    models: Mapping[str, dict[str, Any]]

    @classmethod
    def read(cls, repository: Path) -> "Index":
        """The index of `repository`, an empty one where there is none. Raises OutputError where it is damaged."""
        path = repository / INDEX
        if why_no_file(path) == "does not exist":
            return cls({})
        try:
            with open_file(path) as file:
                raw = json.loads(file.read(_LARGEST_BYTES))
            if raw["format"] != _FORMAT:
                raise ValueError(f"format {raw['format']}")
            models = {name: model for name, model in raw["models"].items() if (repository / name).is_dir()}
            for model in models.values():
                _order(model["baked_for"] or "0")
            return cls(models)
        except OSError as error:
            raise OutputError(f"{path} {error.strerror}; remove it") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise OutputError(f"{path} is no index of dni ship ({error!r}); remove it") from None

    def added(self, named: Mapping[str, ModelFile], backend: str) -> "Index":
        """With the models `named`. Raises InputError where two would be baked for one alpha."""
        models = {**self.models, **{name: _describe(file, backend) for name, file in named.items()}}
        taken: dict[str, str] = {}
        for name, model in models.items():
            if (alpha := model["baked_for"]) is not None and taken.setdefault(alpha, name) != name:
                raise InputError(
                    f"the models {taken[alpha]!r} and {name!r} are both baked for alpha {alpha}, and clients could not "
                    "tell them apart; ship them to different repositories"
                )
        return Index(models)

    def write(self, repository: Path, staged: Path) -> None:
        """Into `repository`, by way of the folder `staged`."""
        alphas = {m["baked_for"]: name for name, m in self.models.items() if m["baked_for"] is not None}
        ordered = dict(sorted(alphas.items(), key=lambda item: _order(item[0])))
        text = json.dumps({"format": _FORMAT, "alphas": ordered, "models": self.models}, indent=2)
        (staged / INDEX).write_text(f"{text}\n")
        os.replace(staged / INDEX, repository / INDEX)


def _order(alpha: str) -> list[float]:
    return [float(part) for part in alpha.split(",")]


def _describe(file: ModelFile, backend: str) -> dict[str, Any]:
    metadata = file.metadata
    pinned, default = metadata.alpha_pinned, metadata.alpha_default
    return {
        "backend": backend,
        "baked_for": None if pinned is None else format_alpha(pinned),
        "alpha_range": None if file.alpha is None else list(metadata.alpha_range),
        "alpha_default": None if default is None else format_alpha(default),
        "endpoints": [endpoint.file for endpoint in metadata.endpoints],
        **({} if metadata.alpha_path is None else {"alpha_path": metadata.alpha_path.to_dict()}),
        **({"alpha_knobs": [k.to_dict() for k in metadata.alpha_knobs]} if metadata.alpha_knobs else {}),
        "scale": metadata.scale,
        "verdict": metadata.verdict,
    }

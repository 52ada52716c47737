"""A curve's middle as a checkpoint: a .safetensors that says between which endpoints it was fitted, and how well.

Curves are Bezier curves (Garipov et al. 2018, arXiv 1802.10026): of degree 2 with one middle, of degree 3 with two.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dni_exporters.opening import safetensors_header
from dni_runtime import CheckpointError
from dni_runtime.files.fields import FieldError, Fields
from dni_runtime.shares import MOST_MIDDLES

FORMAT = 1
KEY = "dni"
_TEXT_LIMIT = 2**16


@dataclass(frozen=True, slots=True)
class End:
    """An endpoint of a curve: its file's name, for people, and the SHA-256 of what was read (`Checkpoint.sha256`)."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Middle:
    """What a fitted middle says of itself.

    degree: of its curve.
    number: its place among the curve's middles, from 1, counted from the first of `ends`.
    ends:   the endpoints that it was fitted between, A first.
    """

    degree: int
    number: int
    ends: tuple[End, End]

    def __str__(self) -> str:
        curve = {2: "quadratic", 3: "cubic"}[self.degree]
        between = " and ".join(end.file for end in self.ends)
        return f"middle {self.number} of {self.degree - 1} of the {curve} curve that was fitted between {between}"

    def place_between(self, first: str, last: str) -> int:
        """Its number from 1 on a curve from the endpoint of SHA-256 `first` to `last`; 0 where it belongs to none.

        A curve is the same in both directions.
        """
        own = tuple(end.sha256 for end in self.ends)
        return self.number if own == (first, last) else self.degree - self.number if own == (last, first) else 0

    def to_json(self, figures: Mapping[str, Any]) -> str:
        """The text to be written into the file's metadata under KEY. `figures`: what came out, for people."""
        curve = {"degree": self.degree, "middle": self.number, "ends": _listed(self.ends)}
        return json.dumps({"format": FORMAT, "curve": curve, "figures": figures})


def taught_json(ends: tuple[End, End], figures: Mapping[str, Any]) -> str:
    """The same of a network that was taught: it began as the first of `ends`, and gives the pictures of the second."""
    return json.dumps({"format": FORMAT, "taught": {"ends": _listed(ends)}, "figures": figures})


def _listed(ends: tuple[End, End]) -> list[dict[str, str]]:
    return [{"file": end.file, "sha256": end.sha256} for end in ends]


def read_middle(path: Path) -> Middle | None:
    """What the checkpoint `path` says of the curve that it was fitted for; None where it is a checkpoint like others.

    Raises CheckpointError for a file that by its first bytes is no checkpoint, and for a middle that is not understood.
    """
    try:
        fields = Fields.parse(_metadata_text(path), _TEXT_LIMIT)
    except FieldError:
        return None
    try:
        return _middle(fields) if "curve" in fields else None
    except FieldError as error:
        raise CheckpointError(
            f"{path} says in its metadata {KEY!r} that it is a middle of a curve, and is not understood: {error}; "
            "fit it again, or update dni-deploy"
        ) from None


def _middle(fields: Fields) -> Middle:
    fields.whole("format", FORMAT, FORMAT)
    curve = fields.inner("curve")
    degree = curve.whole("degree", 2, 1 + MOST_MIDDLES)
    number = curve.whole("middle", 1, degree - 1)
    ends = [End(end.text("file"), end.text("sha256")) for end in curve.list_of_inner("ends", 2)]
    if len(ends) != 2:
        raise FieldError(f"curve.ends is a list of {len(ends)}; expected two")
    return Middle(degree, number, (ends[0], ends[1]))


def _metadata_text(path: Path) -> str:
    """What a .safetensors holds under KEY beside its tensors; empty for any other file."""
    header, _ = safetensors_header(path) or ({}, 0)
    metadata = header.get("__metadata__")
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    return text if isinstance(text, str) else ""

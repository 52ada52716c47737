"""What an ONNX file says about itself: `metadata_props["dni"]`, one JSON object, format 1."""

import json
from dataclasses import dataclass, replace
from typing import Any

import onnx

from .alpha import Alpha, check_alpha
from .errors import ModelError

KEY = "dni"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checkpoint that the model was made from: its file name (no folder) and the file's SHA-256 in hex."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the runtime needs to know about a model; the defaults describe a model that says nothing.

    endpoints:      in the order of the command line, A first; alpha is the share of A.
    alpha_range:    smallest and largest alpha that the model takes.
    alpha_default:  used where a call gives no alpha; None where every call has to.
    alpha_pinned:   the constant alpha of a baked model; None where alpha is an input.
    alpha_plane:    whether alpha comes in the last channels of the image input, not in one of its own.
    scale:          output height / input height, None where no such number exists.
    size_multiple:  input height and width have to be multiples of it.
    size_minimum:   smallest input height and width in pixels.
    overlap:        distance in input pixels over which an output pixel depends on the input, rounded up
                    to size_multiple; None where it was too large to measure, or unbounded.
    color:          channel order, "RGB" or "L" (or "" for other channel counts).
    value_range:    of input and output.
    """

    endpoints: tuple[Endpoint, ...] = ()
    alpha_range: tuple[float, float] = (0.0, 1.0)
    alpha_default: tuple[float, ...] | None = None
    alpha_pinned: tuple[float, ...] | None = None
    alpha_plane: bool = False
    architecture: str = ""
    scale: float | None = None
    size_multiple: int = 1
    size_minimum: int = 1
    overlap: int | None = None
    color: str = ""
    value_range: tuple[float, float] = (0.0, 1.0)
    dtype: str = "float32"
    opset: int = 0
    tool: str = ""

    @property
    def alpha_count(self) -> int:
        """How many numbers alpha has: one fewer than there are endpoints."""
        return max(1, len(self.endpoints) - 1)

    def pinned(self, alpha: Alpha) -> "Metadata":
        """The metadata of this model with alpha made a constant."""
        values = check_alpha(alpha, self.alpha_range, self.alpha_count)
        return replace(self, alpha_pinned=values, alpha_default=None)

    def to_json(self) -> str:
        return json.dumps(
            {
                "format": FORMAT,
                "endpoints": [{"file": e.file, "sha256": e.sha256} for e in self.endpoints],
                "alpha": {
                    "range": list(self.alpha_range),
                    "default": _unwrap(self.alpha_default),
                    "pinned": _unwrap(self.alpha_pinned),
                    "plane": self.alpha_plane,
                },
                "architecture": self.architecture,
                "scale": self.scale,
                "size": {"multiple": self.size_multiple, "minimum": self.size_minimum},
                "overlap": self.overlap,
                "color": self.color,
                "range": list(self.value_range),
                "dtype": self.dtype,
                "opset": self.opset,
                "tool": self.tool,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Metadata":
        """Parse `to_json`'s text. Raises ModelError for anything that format 1 does not allow."""
        try:
            raw: dict[str, Any] = json.loads(text)
            if raw["format"] != FORMAT:
                raise ModelError(
                    f"the model's metadata has format {raw['format']!r}, this version of dni-deploy reads "
                    f"format {FORMAT}; update dni-deploy or export the model again"
                )
            low, high = map(float, raw["alpha"]["range"])
            value_low, value_high = map(float, raw["range"])
            return cls(
                endpoints=tuple(Endpoint(str(e["file"]), str(e["sha256"])) for e in raw["endpoints"]),
                alpha_range=(low, high),
                alpha_default=_wrap(raw["alpha"]["default"]),
                alpha_pinned=_wrap(raw["alpha"]["pinned"]),
                alpha_plane=bool(raw["alpha"].get("plane", False)),
                architecture=str(raw["architecture"]),
                scale=None if raw["scale"] is None else float(raw["scale"]),
                size_multiple=int(raw["size"]["multiple"]),
                size_minimum=int(raw["size"]["minimum"]),
                overlap=None if raw["overlap"] is None else int(raw["overlap"]),
                color=str(raw["color"]),
                value_range=(value_low, value_high),
                dtype=str(raw["dtype"]),
                opset=int(raw["opset"]),
                tool=str(raw["tool"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f'the model\'s metadata ("{KEY}") cannot be read: {error!r}; export the model again'
            ) from None


def read_metadata(model: onnx.ModelProto) -> Metadata | None:
    """The metadata of `model`, None where it has none (a model of another tool)."""
    for prop in model.metadata_props:
        if prop.key == KEY:
            return Metadata.from_json(prop.value)
    return None


def write_metadata(model: onnx.ModelProto, metadata: Metadata) -> None:
    """Put `metadata` into `model`, in place of what it said before."""
    for prop in model.metadata_props:
        if prop.key == KEY:
            prop.value = metadata.to_json()
            return
    model.metadata_props.add(key=KEY, value=metadata.to_json())


def _unwrap(alpha: tuple[float, ...] | None) -> float | list[float] | None:
    return None if alpha is None else alpha[0] if len(alpha) == 1 else list(alpha)


def _wrap(alpha: float | list[float] | None) -> tuple[float, ...] | None:
    if alpha is None:
        return None
    return tuple(map(float, alpha)) if isinstance(alpha, list) else (float(alpha),)

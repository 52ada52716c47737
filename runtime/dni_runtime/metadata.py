"""What an ONNX file says about itself: `metadata_props["dni"]`, one JSON object, format 1."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from .alpha import ALPHA, Alpha, Knob, check_alpha, expected_alpha, read_knobs
from .calibration import Calibration, read_calibration
from .errors import AlphaError, ModelError
from .files.fields import FieldError, Fields
from .files.onnx_types import ModelProto
from .shares import Path, read_path
from .sizes import Sizes

KEY = "dni"
FORMAT = 1

# A model may be a stranger's. What no network needs is refused, so that nobody behind this file has to expect it.
LIMIT_SCALE = 64.0
LIMIT_SIDE_PIXELS = 1024
LIMIT_VALUE = 1e6
_LIMIT_CHARACTERS = 2**20
LIMIT_ENDPOINTS = 256
LIMIT_VERDICT = 1000
_LIMIT_OPSET = 1000
_LIMIT_DENOMINATOR = 1024
# Of a third as a float, and what is left of it in a text of ten digits.
_ROUNDING = 1e-9
_COLORS = ("RGB", "L", "")
_DTYPES = ("float32", "float16")
NEAR, AVERAGES, WHOLE = _VIEWS = ("near", "averages", "whole")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checkpoint that the model was made from.

    file:   the file's name, without its folder.
    sha256: of the file, in hex.
    """

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the runtime needs to know about a model; the defaults describe a model that says nothing.

    endpoints:      in the order of the command line, A first; alpha is the share of A. With a path, in its order.
    alpha_range:    smallest and largest alpha that the model takes.
    alpha_default:  used where a call gives no alpha; None where every call has to.
    alpha_pinned:   the constant alpha of a baked model; None where alpha is an input.
    alpha_plane:    whether alpha comes in the last channels of the image input, not in one of its own.
    scale:          output height / input height, None where no such number exists.
    size_multiple:  input height and width have to be multiples of it.
    size_minimum:   smallest input height and width in pixels.
    size_square:    whether input height and width have to be the same.
    size_grid:      tiles of an image have to begin at multiples of it, or give another picture than the whole does.
    overlap:        distance in input pixels over which an output pixel depends on the input, rounded up
                    to size_multiple; None where it was too large to measure, or unbounded. What `view` says of
                    averages does not count.
    view:           what of the image an output pixel depends on: "near" pixels alone, beside them "averages" over the
                    whole image, or the "whole" image in other ways; None where nobody looked.
    architecture:   the network's name, for people.
    color:          channel order, "RGB" or "L" (or "" for other channel counts).
    value_range:    of input and output.
    dtype:          of weights and computation, "float32" or "float16"; a Model takes and gives float32 either way.
    opset:          the ONNX operator set, 0 where the file does not say.
    tool:           what wrote the file.
    verdict:        whether blends of the endpoints work, one sentence for people; None where nobody looked.
    alpha_path:     how the endpoints lie along alpha, one number then; None where alpha is their shares.
    alpha_knobs:    which parameters have an alpha of their own, each one number; none where one alpha is for all.
    calibration:    what alpha fits an image, by its noise or its quality; None where nobody found out.
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
    size_square: bool = False
    size_grid: int = 1
    overlap: int | None = None
    view: str | None = None
    color: str = ""
    value_range: tuple[float, float] = (0.0, 1.0)
    dtype: str = "float32"
    opset: int = 0
    tool: str = ""
    verdict: str | None = None
    alpha_path: Path | None = None
    alpha_knobs: tuple[Knob, ...] = ()
    calibration: Calibration | None = None

    @property
    def alpha_count(self) -> int:
        """How many numbers alpha has: one fewer than there are endpoints, one along a path; one more for each knob."""
        if self.alpha_path is not None or self.alpha_knobs:
            return 1 + len(self.alpha_knobs)
        return max(1, len(self.endpoints) - 1)

    @property
    def alpha_inputs(self) -> tuple[str, ...]:
        """What the model's inputs for alpha are called, where it has such."""
        return (ALPHA, *(knob.input_name for knob in self.alpha_knobs))

    @property
    def knob_names(self) -> tuple[str, ...]:
        """What the numbers of alpha are called, where the model has knobs."""
        return (ALPHA, *(knob.name for knob in self.alpha_knobs)) if self.alpha_knobs else ()

    def check_alpha(self, alpha: Alpha) -> tuple[float, ...]:
        """The numbers of an alpha that the model takes; a knob that is left out has its default.

        Raises AlphaError for any other.
        """
        on_path, knobs = self.alpha_path is not None, self.knob_names
        if isinstance(alpha, Mapping) and self.alpha_default is not None:
            alpha = {**dict(zip(knobs, self.alpha_default, strict=False)), **alpha}
        return check_alpha(alpha, self.alpha_range, self.alpha_count, on_path=on_path, knobs=knobs)

    @property
    def sizes(self) -> Sizes:
        """What input height and width have to be."""
        return Sizes(self.size_multiple, self.size_minimum, self.size_square)

    @property
    def ratio(self) -> Fraction | None:
        """`scale`, exactly; None where it is unknown, or no fraction: ends of tiles would lie between pixels."""
        if self.scale is None:
            return None
        ratio = Fraction(self.scale).limit_denominator(_LIMIT_DENOMINATOR)
        return ratio if ratio > 0 and abs(ratio - self.scale) <= _ROUNDING else None

    def pinned(self, alpha: Alpha) -> Metadata:
        """The metadata of this model with alpha made a constant."""
        return replace(self, alpha_pinned=self.check_alpha(alpha), alpha_default=None, calibration=None)

    def to_json(self) -> str:
        """The text of the entry "dni" in a model's `metadata_props`."""
        return json.dumps(
            {
                "format": FORMAT,
                "endpoints": [{"file": e.file, "sha256": e.sha256} for e in self.endpoints],
                "alpha": {
                    "range": list(self.alpha_range),
                    "default": _unwrap(self.alpha_default),
                    "pinned": _unwrap(self.alpha_pinned),
                    "plane": self.alpha_plane,
                    **({} if self.alpha_path is None else {"path": self.alpha_path.to_dict()}),
                    **({"knobs": [knob.to_dict() for knob in self.alpha_knobs]} if self.alpha_knobs else {}),
                },
                "architecture": self.architecture,
                "scale": self.scale,
                "size": {
                    "multiple": self.size_multiple,
                    "minimum": self.size_minimum,
                    **({"square": True} if self.size_square else {}),
                    **({"grid": self.size_grid} if self.size_grid > 1 else {}),
                },
                "overlap": self.overlap,
                **({} if self.view is None else {"view": self.view}),
                "color": self.color,
                "range": list(self.value_range),
                "dtype": self.dtype,
                "opset": self.opset,
                "tool": self.tool,
                **({} if self.verdict is None else {"verdict": self.verdict}),
                **({} if self.calibration is None else {"calibration": self.calibration.to_dict()}),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Metadata:
        """Parse `to_json`'s text, of whoever wrote it. Raises ModelError for anything that format 1 does not allow."""
        try:
            fields = Fields.parse(text, _LIMIT_CHARACTERS)
            _check_format(fields)
            alpha, size = fields.inner("alpha"), fields.inner("size")
            endpoints = fields.list_of_inner("endpoints", LIMIT_ENDPOINTS)
            metadata = cls(
                endpoints=tuple(Endpoint(e.text("file"), e.text("sha256")) for e in endpoints),
                alpha_range=alpha.span("range", LIMIT_VALUE),
                alpha_plane="plane" in alpha and alpha.flag("plane"),
                architecture=fields.text("architecture"),
                scale=None if fields.is_null("scale") else fields.number("scale", 1 / LIMIT_SCALE, LIMIT_SCALE),
                size_multiple=size.whole("multiple", 1, LIMIT_SIDE_PIXELS),
                size_minimum=size.whole("minimum", 1, LIMIT_SIDE_PIXELS),
                size_square="square" in size and size.flag("square"),
                size_grid=size.whole("grid", 1, LIMIT_SIDE_PIXELS) if "grid" in size else 1,
                overlap=None if fields.is_null("overlap") else fields.whole("overlap", 0, LIMIT_SIDE_PIXELS),
                view=fields.one_of("view", _VIEWS) if "view" in fields else None,
                color=fields.one_of("color", _COLORS),
                value_range=fields.span("range", LIMIT_VALUE),
                dtype=fields.one_of("dtype", _DTYPES),
                opset=fields.whole("opset", 0, _LIMIT_OPSET),
                tool=fields.text("tool"),
                verdict=fields.text("verdict", LIMIT_VERDICT) if "verdict" in fields else None,
            )
            if "path" in alpha:
                path = read_path(alpha.inner("path"), len(endpoints))
                if path.range != metadata.alpha_range:
                    alpha.refuse("range", f"{list(path.range)}, the ends of alpha.path")
                metadata = replace(metadata, alpha_path=path)
            if "knobs" in alpha:
                if metadata.alpha_count > 1:
                    alpha.refuse("knobs", f"none, for {len(endpoints)} endpoints whose shares alpha is")
                metadata = replace(metadata, alpha_knobs=read_knobs(alpha, "knobs"))
            if "calibration" in fields:
                if metadata.alpha_count > 1:
                    fields.refuse("calibration", f"none, for an alpha of {metadata.alpha_count} numbers")
                calibration = read_calibration(fields.inner("calibration"), metadata.alpha_range)
                metadata = replace(metadata, calibration=calibration)
            default, pinned = (_read_alpha(alpha, name, metadata) for name in ("default", "pinned"))
            return replace(metadata, alpha_default=default, alpha_pinned=pinned)
        except FieldError as error:
            raise ModelError(
                f'the model\'s metadata ("{KEY}") cannot be read: {error}; export the model again'
            ) from None


def _check_format(fields: Fields) -> None:
    version = fields.whole("format", 0, sys.maxsize)
    if version != FORMAT:
        raise ModelError(
            f"the model's metadata has format {version}, this version of dni-deploy reads format {FORMAT}; "
            "update dni-deploy or export the model again"
        )


def _read_alpha(alpha: Fields, name: str, metadata: Metadata) -> tuple[float, ...] | None:
    values = alpha.numbers(name)
    if values is None:
        return None
    try:
        return metadata.check_alpha(values)
    except AlphaError:
        alpha.refuse(name, expected_alpha(metadata.alpha_range, metadata.alpha_count, metadata.knob_names))


def read_metadata(model: ModelProto) -> Metadata | None:
    """The metadata of `model`, None where it has none (a model of another tool). Raises ModelError as `from_json`."""
    texts = [prop.value for prop in model.metadata_props if prop.key == KEY]
    if len(texts) > 1:  # ONNX Runtime takes the last one, others the first
        raise ModelError(f'the model has {len(texts)} metadata entries "{KEY}"; expected one: export the model again')
    return Metadata.from_json(texts[0]) if texts else None


def write_metadata(model: ModelProto, metadata: Metadata) -> None:
    """Put `metadata` into `model`, in place of what it said before."""
    for prop in model.metadata_props:
        if prop.key == KEY:
            prop.value = metadata.to_json()
            return
    model.metadata_props.add(key=KEY, value=metadata.to_json())


def _unwrap(alpha: tuple[float, ...] | None) -> float | list[float] | None:
    return None if alpha is None else alpha[0] if len(alpha) == 1 else list(alpha)

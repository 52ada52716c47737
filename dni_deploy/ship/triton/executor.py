"""Answer a batch of requests, each with its own alpha: those of equal alpha and size run as one.

Knows nothing of Triton: requests are arrays by the names of `contract`, answers are arrays or an error each.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dni_deploy.ship.model_file import ModelFile
from dni_runtime import AlphaError, DniError, InputError, Model, ModelError

from .contract import ALPHA, AUTO, IMAGE, INPUT, OUTPUT, OUTPUT_IMAGE

Tensors = Mapping[str, npt.NDArray[Any]]
Answer = dict[str, npt.NDArray[Any]] | DniError

_DTYPES: dict[str, Any] = {IMAGE: np.uint8, INPUT: np.float32, ALPHA: np.float32, AUTO: np.bool_}
_LAYOUTS = {IMAGE: "[N, height, width, channels]", INPUT: "[N, channels, height, width]"}
_ANSWERS = {IMAGE: OUTPUT_IMAGE, INPUT: OUTPUT}

# Larger images fill the processor by themselves; together they would only need more memory.
_TOGETHER_LIMIT_PIXELS = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The most pixels of one request, all of its images together.

    image_pixels: of `image`, which is tiled. input_pixels: of `input`, which runs in one piece and needs
    memory for every feature of every pixel at once.
    """

    image_pixels: int
    input_pixels: int


@dataclass(frozen=True, slots=True)
class _Item:
    """One image: row `row` of request `request`, from its tensor `field`; data without the batch axis."""

    request: int
    row: int
    field: str
    data: npt.NDArray[Any]
    alpha: tuple[float, ...] | None

    @property
    def key(self) -> tuple[Any, ...]:
        """Items of equal keys may run as one."""
        return self.field, self.alpha, self.data.shape


class Executor:
    """Runs requests on one model. `file` is what `model` was loaded from."""

    def __init__(self, model: Model, file: ModelFile, limits: Limits) -> None:
        self._model = model
        self._limits = limits
        self._alpha_count = 0 if file.alpha is None else file.alpha_count
        self._joins = file.signature.shape[0] is None

    def run(self, requests: Sequence[Tensors]) -> list[Answer]:
        """Answer every request, in their order; what is wrong with one does not touch the others."""
        answers: list[Answer | None] = []
        items: list[_Item] = []
        for index, tensors in enumerate(requests):
            try:
                items += self._read(index, tensors)
                answers.append(None)
            except DniError as error:
                answers.append(error)
        rows: dict[int, list[npt.NDArray[Any] | DniError]] = {}
        done = {(i.request, i.row): result for group in self._groups(items) for i, result in self._run(group)}
        for item in items:
            rows.setdefault(item.request, []).append(done[item.request, item.row])
        fields = {item.request: item.field for item in items}
        return [
            answer if answer is not None else _collect(fields[index], rows[index])
            for index, answer in enumerate(answers)
        ]

    def _read(self, index: int, tensors: Tensors) -> list[_Item]:
        given = [name for name in (IMAGE, INPUT) if name in tensors]
        if len(given) != 1:
            found = "both were given" if given else "neither was given"
            raise InputError(f"{IMAGE} and {INPUT}: {found}; expected one, image (uint8) or input (float32)")
        (field,) = given
        data = tensors[field]
        for name in (field, ALPHA, AUTO):
            if name in tensors and tensors[name].dtype != _DTYPES[name]:
                expected = np.dtype(_DTYPES[name])
                raise InputError(f"{name}: the tensor is of type {tensors[name].dtype}; expected {expected}")
        if data.ndim != 4 or data.size == 0:
            what = "at least 1 along every axis" if data.ndim == 4 else _LAYOUTS[field]
            raise InputError(f"{field}: the tensor has shape {list(data.shape)}; expected {what}")
        self._check_size(field, data)
        chosen = self._read_auto(tensors.get(AUTO), field, len(data))
        alphas = [None] * len(data) if all(chosen) else self._read_alphas(tensors.get(ALPHA), len(data))
        return [
            _Item(index, row, field, data[row], self._model.choose_alpha(data[row])[:1] if chosen[row] else alphas[row])
            for row in range(len(data))
        ]

    def _read_auto(self, auto: npt.NDArray[Any] | None, field: str, count: int) -> list[bool]:
        """For which images of a request the model chooses alpha."""
        if auto is None:
            return [False] * count
        if auto.shape != (count, 1):
            raise InputError(f"{AUTO}: the tensor has shape {list(auto.shape)}; expected {[count, 1]}")
        if field != IMAGE and auto.any():
            raise InputError(f"{AUTO}: it is true, but noise is told from {IMAGE} alone; send {ALPHA} with {field}")
        return [bool(value) for value in auto[:, 0]]

    def _check_size(self, field: str, data: npt.NDArray[Any]) -> None:
        n, *sizes = data.shape
        height, width = sizes[:2] if field == IMAGE else sizes[1:]
        limit = self._limits.image_pixels if field == IMAGE else self._limits.input_pixels
        if n * height * width > limit:
            option = "--max-pixels" if field == IMAGE else "--max-input-pixels"
            raise InputError(
                f"{field}: {n} x {height} x {width} pixels are over the limit of {limit} for a request; "
                f"send fewer or smaller images (the limit is dni ship triton {option})"
            )
        if field == INPUT and not np.isfinite(data).all():
            raise InputError(f"{field}: the tensor holds NaN or infinity; expected finite numbers")

    def _read_alphas(self, alphas: npt.NDArray[Any] | None, count: int) -> list[tuple[float, ...] | None]:
        if alphas is None:
            if self._alpha_count and self._model.metadata.alpha_default is None:
                raise AlphaError(
                    f"{ALPHA}: missing, and the model has no default; send float32 {[count, self._alpha_count]}"
                )
            return [self._model.check_alpha(None)] * count
        expected = (count, self._alpha_count)
        if alphas.shape != expected:
            raise InputError(f"{ALPHA}: the tensor has shape {list(alphas.shape)}; expected {list(expected)}")
        # The decimal number that the client wrote, 0.3, and not 0.30000001192: both are the same float32.
        return [self._model.check_alpha([float(str(value)) for value in row]) for row in alphas]

    def _groups(self, items: Sequence[_Item]) -> Iterator[list[_Item]]:
        """Items that run as one, in the order of their first ones."""
        groups: dict[tuple[Any, ...], list[_Item]] = {}
        for item in items:
            groups.setdefault(item.key, []).append(item)
        for group in groups.values():
            field, data = group[0].field, group[0].data
            height, width = data.shape[:2] if field == IMAGE else data.shape[1:]
            size = max(1, _TOGETHER_LIMIT_PIXELS // (height * width)) if self._joins else 1
            yield from (group[start : start + size] for start in range(0, len(group), size))

    def _run(self, group: Sequence[_Item]) -> list[tuple[_Item, npt.NDArray[Any] | DniError]]:
        try:
            return list(zip(group, self._run_together(group), strict=True))
        except Exception as error:  # of ONNX Runtime or the memory: whoever is not at fault is answered still
            if len(group) > 1:
                return [pair for item in group for pair in self._run([item])]
            kind = type(error) if isinstance(error, DniError) else ModelError
            return [(group[0], kind(f"{group[0].field}: {error or type(error).__name__}"))]

    def _run_together(self, group: Sequence[_Item]) -> Sequence[npt.NDArray[Any]]:
        data, alpha = [item.data for item in group], group[0].alpha
        return (
            list(self._model(np.stack(data), alpha))
            if group[0].field == INPUT
            else self._model.enhance_batch(data, alpha)
        )


def _collect(field: str, rows: Sequence[npt.NDArray[Any] | DniError]) -> Answer:
    results = []
    for number, row in enumerate(rows):
        if isinstance(row, DniError):
            return row if len(rows) == 1 else type(row)(f"{row} (image {number + 1} of {len(rows)})")
        results.append(row)
    return {_ANSWERS[field]: np.stack(results)}

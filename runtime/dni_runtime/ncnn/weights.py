"""A model's weights in the order in which ncnn reads them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from dni_runtime.prepared.flat_weights import Prepared
from dni_runtime.prepared.layout import Layout, Placement
from dni_runtime.prepared.prepare import arrange
from dni_runtime.weights.split import CannotPrepareError, Split, split

from .form import Form, Part


def halves_of(slim: onnx.ModelProto) -> Split:
    """The halves of an alpha-input model; of a baked one, or one of equal endpoints, all nodes are the body."""
    if any("alpha" in node.input for node in slim.graph.node):
        return split(slim)
    return Split(onnx.shape_inference.infer_shapes(slim), head=(), body=tuple(slim.graph.node), weights=(), widened={})


def prepare_form(slim: onnx.ModelProto, folder: Path, form: Form) -> Prepared:
    """The weights of `slim` for `form`; slices are called by the number of the part. Raises CannotPrepareError.

    `folder`: where the model's external data lies.
    """
    halves = halves_of(slim)
    shapes = halves.shapes()
    there = {*halves.weights, *halves.widened, *(tensor.name for tensor in slim.graph.initializer)}
    placements = tuple(_placement(str(n), part, shapes, there) for n, part in enumerate(form.parts))
    return arrange(halves, Layout(onnx.ModelProto(), placements), folder)


def values_of(form: Form, prepared: Prepared, flat: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    """The numbers of each part of `form`, in order: of the weights in `flat`, and of those that alpha does not move."""
    pieces = {piece.name: piece for piece in prepared.slices}
    found = []
    for number, part in enumerate(form.parts):
        piece = pieces[str(number)]
        source = prepared.fixed if piece.fixed else flat
        found.append(source[piece.start : piece.start + part.count])
    return found


def _placement(name: str, part: Part, shapes: dict[str, tuple[int, ...]], there: set[str]) -> Placement:
    if part.weight not in there or part.weight not in shapes:
        raise CannotPrepareError(f"the form for ncnn has a value {part.weight!r}, which the model does not have")
    if part.last >= int(np.prod(shapes[part.weight])):
        raise CannotPrepareError(f"the form for ncnn takes more of {part.weight!r} than there is")
    return Placement(name, (part.count,), part.weight, part.index(), np.float32(1))

"""Give a written model its form for ncnn, and see that ncnn computes with it what the graph computes."""

from pathlib import Path

import numpy as np
import onnx

import dni_runtime
from dni_runtime import ExportError, Metadata, Model, ParityError
from dni_runtime.ncnn.form import KEY, Form
from dni_runtime.ncnn.layers import FormError
from dni_runtime.weights.alpha_file import read_onnx_file
from dni_runtime.weights.split import CannotPrepareError

from .learn import channels_of, learn_form, two_sizes

# As for PyTorch: float32 rounding through a deep network.
_TOLERANCE = 1e-5


def attach_form(path: Path) -> str | None:
    """Write the form for ncnn into the model `path`; returns what users should know about it, None for nothing.

    Raises ExportError where the network has no such form, ParityError where ncnn computes something else with it.
    """
    file = read_onnx_file(path)
    assert file is not None  # the exporter writes no .ort file
    metadata = file.metadata or Metadata()
    try:
        form = learn_form(file.slim, metadata.sizes)
    except (FormError, CannotPrepareError) as error:
        raise ExportError(f"the network cannot be given a form for ncnn: {error}; leave --ncnn-form out") from None
    # Of Protocol Buffers: what follows a message is merged into it, and these entries are a list.
    with path.open("ab") as opened:
        opened.write(_entry(form))
    _compare(path, form, metadata, channels_of(file.slim))
    return None if form.is_for_all else f"in ncnn it takes {form}"


def _entry(form: Form) -> bytes:
    model = onnx.ModelProto()
    model.metadata_props.add(key=KEY, value=form.to_json())
    encoded: bytes = model.SerializeToString()
    return encoded


def _compare(path: Path, form: Form, metadata: Metadata, channels: int) -> None:
    """At a middle alpha, at two sizes of each graph."""
    low, high = metadata.value_range
    noise = np.random.default_rng(0)
    with _load(path, "ncnn") as candidate, _load(path, "cpu") as plain:
        alpha = None if plain.metadata.alpha_pinned is not None else _middle(metadata)
        for remainders in form.graphs:
            for size in two_sizes(metadata.sizes, form.period, remainders):
                x = noise.uniform(low, high, (1, channels, *size)).astype(np.float32)
                wanted, got = plain(x, alpha), candidate(x, alpha)
                bound = _TOLERANCE * max(1.0, float(np.abs(wanted).max()))
                error = float(np.abs(wanted - got).max()) if wanted.shape == got.shape else np.inf
                if not error <= bound:  # NaN is not
                    raise ParityError(
                        f"ncnn differs from the model by {error:.3g} on an image of {size[0]}x{size[1]} pixels; "
                        f"expected at most {bound:.3g}; nothing was written. Leave --ncnn-form out"
                    )


def _load(path: Path, provider: str) -> Model:
    try:
        return dni_runtime.load(path, provider, threads=1)
    except dni_runtime.ModelError as error:
        raise ExportError(f"the network cannot be given a form for ncnn: {error}") from None


def _middle(metadata: Metadata) -> dni_runtime.Alpha:
    """Shares that are all different, or a place on a way that is not its middle."""
    low, high = metadata.alpha_range
    count = metadata.alpha_count
    portions = 0.37 * np.arange(1, count + 1) / sum(range(count + 1))
    return [float(low + portion * (high - low)) for portion in portions]

"""What the exporters' tests share: PyTorch's answer, ONNX Runtime's answer, and when they agree."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from networks import Weights, conv, pair
from numpy.typing import NDArray
from torch import nn

from dni_exporters import export
from dni_exporters.making import traced as tracing
from dni_exporters.tracing.skeleton import Skeleton

FloatArray = NDArray[np.float32]


def make_exports_faster() -> None:
    """Hundreds of exports of tiny networks: take off what each pays that has nothing to do with the network.

    PyTorch parses the sources of all of its ONNX functions anew for every export (0.5 s) and goes three times through
    all of its operators for those that it can take apart (0.2 s), and a collection of garbage walks all modules
    (0.25 s). None of that changes what is made.
    """
    from torch._export import utils
    from torch.export import decomp_utils, exported_program
    from torch.onnx._internal.exporter import _decomp
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
    separable = functools.cache(utils._collect_all_valid_cia_ops)
    decomp_utils._collect_all_valid_cia_ops = exported_program._collect_all_valid_cia_ops = separable
    table = functools.cache(_decomp.create_onnx_friendly_decomposition_table)
    _decomp.create_onnx_friendly_decomposition_table = lambda operators: dict(table(frozenset(operators)))
    _decomp.create_onnx_friendly_decomposition_table(
        _decomp.get_onnx_implemented_overloads(ONNXRegistry.from_torchlib())
    )


def traced(network: nn.Module, input_shape: tuple[int, int, int, int]) -> Skeleton:
    """As an export traces it: see shared_traces.py."""
    return tracing.trace(network, input_shape, static=False, opset=None, half=False)  # type: ignore[attr-defined]


def nasty_model(folder: Path, name: str) -> Path:
    """The network `name` of networks.py as an alpha-input model; exported once for all tests (`folder` is theirs)."""
    path = folder / "nasty" / f"{name}.onnx"
    if not path.exists():
        network, a, b = pair(name)
        export([a, b], path, alpha_input=True, arch=network)
    return path


def blended(a: Weights, b: Weights, alpha: float) -> Weights:
    """alpha * A + (1 - alpha) * B as anyone would write it, on purpose without the exporter's code."""
    return {k: alpha * a[k] + (1 - alpha) * b[k] if a[k].is_floating_point() else a[k] for k in a}


def expected(network: nn.Module, weights: Weights, image: FloatArray) -> FloatArray:
    network.load_state_dict(weights)
    with torch.no_grad():
        return network.eval()(torch.from_numpy(image)).numpy()


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(path: Path, image: FloatArray, alpha: float | Sequence[float] | None = None) -> FloatArray:
    """The output of plain ONNX Runtime; `alpha` None where the model has no such input."""
    feed = {"input": image}
    if alpha is not None:
        feed["alpha"] = np.atleast_1d(np.asarray(alpha, np.float32))
    return session(path).run(["output"], feed)[0]


def assert_close(got: FloatArray, wanted: FloatArray, tolerance: float = 1e-5) -> None:
    """The bound of DESIGN.md: float32 sums in another order."""
    assert got.shape == wanted.shape
    assert got.dtype == np.float32
    assert np.abs(got - wanted).max() <= tolerance * max(1.0, float(np.abs(wanted).max()))


def photo(*shape: int, seed: int = 7) -> FloatArray:
    return np.random.default_rng(seed).random(shape, np.float32)


def nodes(model: onnx.ModelProto, op_type: str) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == op_type]


def initializers(model: onnx.ModelProto) -> dict[str, FloatArray]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def small_network() -> nn.Module:
    return nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 3))


def small_pair(count: int = 2) -> tuple[nn.Module, list[Weights]]:
    """A network of two convolutions and the state dicts of `count` endpoints, each a bit off the first."""
    torch.manual_seed(3)
    network = small_network().eval()
    first = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    others = [{k: t + 0.05 * torch.randn(t.shape) for k, t in first.items()} for _ in range(count - 1)]
    return network, [first, *others]


def small_pair_files(folder: Path) -> tuple[str, ...]:
    """The same on the command line: two checkpoints, and the network as code."""
    _, endpoints = small_pair()
    files = [folder / "A.pth", folder / "B.pth"]
    for file, endpoint in zip(files, endpoints, strict=True):
        torch.save(endpoint, file)
    (folder / "net.py").write_text(
        "from torch import nn\n\ndef net():\n    c = lambda i, o: nn.Conv2d(i, o, 3, padding=1)\n"
        "    return nn.Sequential(c(3, 8), nn.ReLU(), c(8, 3))\n"
    )
    return (*map(str, files), "--arch", f"{folder / 'net.py'}:net")


def three_endpoints(folder: Path) -> Path:
    """A model of three endpoints, which takes two alphas; made once, in the folder of all tests."""
    path = folder / "three" / "three.onnx"
    if path.exists():
        return path
    network = torch.nn.Sequential(conv(3, 8), torch.nn.ReLU(), conv(8, 3))
    first = network.state_dict()
    endpoints = [{k: v + 0.05 * torch.randn_like(v) for k, v in first.items()} for _ in range(3)]
    export(endpoints, path, alpha_input=True, arch=network)
    return path

"""However many knobs: stored weights lie in memory once, and each is multiplied with its own shares alone."""

import itertools

import numpy as np
import torch
from exporting import assert_close, expected, photo
from torch import nn

from dni_exporters import export
from dni_runtime import load
from dni_runtime.prepared.prepare import prepare
from dni_runtime.weights.alpha_file import read_onnx_file

IMAGE = photo(1, 3, 20, 26)
LAYERS = 20


def test_as_many_knobs_as_layers(tmp_path):
    torch.manual_seed(0)
    network = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(LAYERS))).eval()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.02 * torch.randn_like(tensor) for name, tensor in a.items()}
    knobs = {f"layer{number}": f"{number}.*" for number in range(1, LAYERS)}
    asked = {"arch": network, "alpha_input": True, "verdict": False, "verify": False}
    export([a, b], tmp_path / "plain.onnx", **asked)
    export([a, b], tmp_path / "knobs.onnx", knobs=knobs, **asked)
    sizes = []
    for name, groups in (("plain", 1), ("knobs", LAYERS)):
        file = read_onnx_file(tmp_path / f"{name}.onnx")
        assert file is not None
        prepared = prepare(file.slim, tmp_path)
        assert [len(block) for block in prepared.blocks] == [2] * groups
        assert sum(block.size for block in prepared.blocks) == prepared.endpoints.size == 2 * prepared.blended
        sizes.append(prepared.endpoints.size)
    assert sizes[0] == sizes[1]
    alphas = tuple(np.linspace(0.05, 0.95, LAYERS).tolist())
    theta = {}
    for (name, first), second in zip(a.items(), b.values(), strict=True):
        share = alphas[int(name.split(".")[0])]
        theta[name] = share * first + (1 - share) * second
    with load(tmp_path / "knobs.onnx", "cpu", alpha_policy="dynamic") as model:
        assert model.alpha_note == "weights are blended in ONNX Runtime's own layout when alpha changes"
        for _ in range(2):  # the second time as it was kept on disk
            assert_close(model(IMAGE, alphas), expected(network, theta, IMAGE))
        for turned in itertools.islice(itertools.permutations(alphas), 3):
            model(IMAGE, turned)
        assert_close(model(IMAGE, alphas), expected(network, theta, IMAGE))

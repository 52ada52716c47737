"""`--format ncnn`: what ncnn makes of the files, read from the disk by its own reader, is what PyTorch computes."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import ncnn
import numpy as np
import numpy.typing as npt
import pytest
import torch
from commands import dni
from exporting import assert_close, blended, expected, photo, small_pair, small_pair_files
from networks import Weights, conv, pair
from networks_in_ncnn import Attends, pads_to_even
from torch import nn

from dni_exporters import export
from dni_exporters.making import make
from dni_exporters.ncnn_files.writing import with_names
from dni_runtime import DniError, ExportError, OutputError, ParityError

FloatArray = npt.NDArray[np.float32]


def ncnn_run(param: Path, image: FloatArray) -> FloatArray:
    """As a program does that knows nothing of us: ncnn's own reader, and the names that such programs ask for."""
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    net.opt.use_winograd63_convolution = False
    net.opt.num_threads = 1
    assert net.load_param(str(param)) == 0
    assert net.load_model(str(param.with_suffix(".bin"))) == 0
    extractor = net.create_extractor()
    extractor.input("data", ncnn.Mat(image).clone())
    code, result = extractor.extract("output")
    assert code == 0
    return np.array(result)


def wanted_of(network: nn.Module, weights: Weights, images: FloatArray) -> FloatArray:
    """PyTorch's, of the first image; what is negative is 0 in the files."""
    return expected(network, weights, images)[0].clip(min=0)


def files_of(folder: Path, network: nn.Module, endpoints: Any, **options: Any) -> Any:
    return export(endpoints, folder / "models" / "m.param", format="ncnn", arch=network, verdict=False, **options)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("pads_to_even", [(16, 24), (22, 30)]),  # of its four graphs a file holds one
        ("prelu", [(9, 14), (16, 23)]),
        ("transposed_batch_norm", [(9, 14), (16, 23)]),
        ("instance_norm", [(9, 14), (16, 23)]),
        ("equal_tensors", [(9, 14), (16, 23)]),
        ("reflect_padding", [(9, 14), (16, 23)]),
        ("pixel_shuffle", [(8, 14), (16, 22)]),
        ("unet", [(16, 24), (32, 40)]),
    ],
)
def test_files_of_several_alphas_compute_what_pytorch_does(name: str, sizes: list[tuple[int, int]], tmp_path: Path):
    network, a, b = pads_to_even() if name == "pads_to_even" else pair(name)
    report = files_of(tmp_path, network, [a, b], alphas=[0, 0.3, 1])
    for file, alpha in zip(report.files, (0.0, 0.3, 1.0), strict=True):
        assert file.parity[0].alpha == (alpha,)
        assert file.bytes == file.path.stat().st_size + file.path.with_suffix(".bin").stat().st_size
        for height, width in sizes:
            x = photo(1, 3, height, width)
            assert_close(ncnn_run(file.path, x[0]), wanted_of(network, blended(a, b, alpha), x))


def test_of_three_endpoints(tmp_path: Path):
    network, endpoints = small_pair(3)
    (file,) = files_of(tmp_path, network, endpoints, alphas=[(0.2, 0.5)]).files
    x = photo(1, 3, 9, 14)
    wanted = {k: 0.2 * endpoints[0][k] + 0.5 * endpoints[1][k] + 0.3 * endpoints[2][k] for k in endpoints[0]}
    assert_close(ncnn_run(file.path, x[0]), wanted_of(network, wanted, x))


def test_of_knobs_and_along_a_path(tmp_path: Path):
    network, endpoints = small_pair(3)
    a, b, _ = endpoints
    x = photo(1, 3, 9, 14)
    (file,) = files_of(tmp_path, network, [a, b], alphas=[(0.3, 0.8)], knobs={"tail": ["2.*"]}).files
    wanted = {k: blended(a, b, 0.8 if k.startswith("2.") else 0.3)[k] for k in a}
    assert_close(ncnn_run(file.path, x[0]), wanted_of(network, wanted, x))
    (file,) = files_of(tmp_path, network, endpoints, alphas=[0.75], path=True, force=True).files
    assert_close(ncnn_run(file.path, x[0]), wanted_of(network, blended(a, b, 0.5), x))


def test_stored_as_float16(tmp_path: Path):
    """Half the size; a count of weights that is odd is filled up to words, and what follows it is found."""
    torch.manual_seed(4)
    network = nn.Sequential(conv(3, 3, 1), nn.PReLU(3), conv(3, 3, 3), conv(3, 3, 1)).eval()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor * 1.3 - 0.01 for name, tensor in a.items()}
    full, half = (
        files_of(tmp_path / dtype, network, [a, b], alphas=[0.3], dtype=dtype) for dtype in ("float32", "float16")
    )
    (file,), (plain,) = half.files, full.files
    stored = np.fromfile(file.path.with_suffix(".bin"), np.uint8)
    assert stored[:4].view(np.uint32)[0] == 0x01306B47
    weights = blended(a, b, 0.3)["0.weight"].numpy().ravel()
    assert np.array_equal(stored[4:22].view(np.float16), weights.astype(np.float16))
    assert not stored[22:24].any()
    # Two convolutions of 9 weights and one of 81, each with a word before it; 3 * 3 biases and 3 slopes in float32.
    assert len(stored) == 2 * (4 + 20) + (4 + 164) + 4 * 12
    assert plain.path.with_suffix(".bin").stat().st_size == 3 * 4 + 4 * (9 + 81 + 9) + 4 * 12
    x = photo(1, 3, 9, 14)
    wanted = wanted_of(network, blended(a, b, 0.3), x)
    assert_close(ncnn_run(file.path, x[0]), wanted, 2e-3)
    assert np.abs(ncnn_run(file.path, x[0]) - wanted).max() > 1e-5, "weights of 11 bits are not those of 24"
    assert file.parity[0].bound == pytest.approx(2 / 255 * max(1, np.abs(wanted).max()), rel=0.5)


def test_a_weight_that_float16_does_not_hold_is_refused_and_nothing_is_left(tmp_path: Path):
    network, (a, b) = small_pair()
    b = {name: tensor * (1e6 if name == "2.weight" else 1) for name, tensor in b.items()}
    with pytest.raises(ExportError, match=r"a weight leaves the range of float16 \(65504\); nothing was written"):
        files_of(tmp_path, network, [a, b], alphas=[1, 0], dtype="float16")
    assert [*tmp_path.iterdir()] == []


def test_strengths_between_are_told_to_be_blends_of_the_two_ends_where_they_are(tmp_path: Path):
    network, endpoints = small_pair()
    report = files_of(tmp_path, network, endpoints, alphas=[0, 0.3, 1])
    none, some, full = (np.fromfile(file.path.with_suffix(".bin"), np.float32) for file in report.files)
    assert any("can have every strength between these" in note for note in report.notes)
    np.testing.assert_allclose(np.float32(0.3) * full + np.float32(0.7) * none, some, rtol=0, atol=1e-7)
    network, a, b = pair("grouped_batch_norm")
    report = files_of(tmp_path / "norm", network, [a, b], alphas=[0, 0.3, 1])
    none, some, full = (np.fromfile(file.path.with_suffix(".bin"), np.float32) for file in report.files)
    assert any("no blend of the .bin files of alpha 0 and 1" in note for note in report.notes)
    assert np.abs(np.float32(0.3) * full + np.float32(0.7) * none - some).max() > 1e-3
    assert not [note for note in files_of(tmp_path / "one", network, [a, b], alphas=[0.3]).notes if "between" in note]


def test_what_ncnn_cannot_do_is_refused(tmp_path: Path):
    network = Attends().eval()
    endpoints = [network.state_dict(), {k: v * 1.1 for k, v in network.state_dict().items()}]
    with pytest.raises(ExportError, match=r"cannot be converted for ncnn: .*; write an ONNX file"):
        files_of(tmp_path, network, endpoints, alphas=[0, 1])
    assert [*tmp_path.iterdir()] == []


def test_what_differs_from_pytorch_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    network, (a, b) = small_pair()
    report = files_of(tmp_path, network, [a, b], alphas=[0.3])
    kept = report.files[0].path.with_suffix(".bin").read_bytes()

    class Slipped(make.NcnnFiles):
        def write(self, alpha: tuple[float, ...], path: Path) -> None:
            super().write((alpha[0] + 0.01,), path)

    monkeypatch.setattr(make, "NcnnFiles", Slipped)
    with pytest.raises(ParityError, match=r"ncnn differs from PyTorch by \S+ at alpha 0.3, for an image of shape"):
        files_of(tmp_path, network, [a, b], alphas=[0.3], force=True)
    assert report.files[0].path.with_suffix(".bin").read_bytes() == kept
    (file,) = files_of(tmp_path, network, [a, b], alphas=[0.3], force=True, verify=False).files
    assert file.parity == ()


def test_files_that_exist_are_kept_under_the_name_that_they_get(tmp_path: Path):
    network, endpoints = small_pair()
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "alpha-1.0-x1.bin").write_text("precious")
    with pytest.raises(OutputError, match=r"alpha-1\.0-x1\.bin exists already and is kept"):
        export(endpoints, folder, format="ncnn", alphas=[0, 1], arch=network, verdict=False)
    assert [path.name for path in folder.iterdir()] == ["alpha-1.0-x1.bin"]
    export(endpoints, folder, format="ncnn", alphas=[0, 1], arch=network, verdict=False, force=True)
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"alpha-{alpha}-x1.{end}" for alpha in ("0.0", "1.0") for end in ("bin", "param")]


def test_without_pnnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dni_exporters.extra._is_installed", lambda name: name != "pnnx")
    network, endpoints = small_pair()
    with pytest.raises(DniError, match=r'--format ncnn needs pnnx, .* pip install "dni-deploy\[export-ncnn\]"'):
        files_of(tmp_path, network, endpoints, alphas=[1])


def test_where_pnnx_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "program").write_text("")
    monkeypatch.setattr("pnnx.EXEC_PATH", tmp_path / "program")
    network, endpoints = small_pair()
    with pytest.raises(
        ExportError, match=r"cannot be converted for ncnn: pnnx cannot be started \(.*Permission denied"
    ):
        files_of(tmp_path, network, endpoints, alphas=[1])
    assert [path.name for path in tmp_path.iterdir()] == ["program"]


def test_a_bound_of_nothing_is_met_by_what_is_equal_to_the_bit(tmp_path: Path):
    network = torch.nn.Conv2d(3, 3, 1, groups=3, bias=False).eval()
    first = dict(network.state_dict())
    second = {name: 0.5 * tensor for name, tensor in first.items()}
    options = {"arch": network, "format": "ncnn", "alphas": [1.0], "verdict": False}
    (file,) = export([first, second], tmp_path / "m.param", atol=0, **options).files  # type: ignore[arg-type]
    assert (file.parity[0].error, file.parity[0].bound) == (0.0, 0.0)


def test_image_and_result_are_called_as_programs_call_them_and_nothing_is_negative():
    text = "7767517\n4 5\nInput in0 0 1 in0\nSplit s 1 2 in0 1 2\nReLU r 1 1 1 3 0=0.1\nBinaryOp add 2 1 3 2 out0 0=0\n"
    assert [line.split() for line in with_names(text).splitlines()] == [
        ["7767517"],
        ["5", "6"],
        ["Input", "in0", "0", "1", "data"],
        ["Split", "s", "1", "2", "data", "1", "2"],
        ["ReLU", "r", "1", "1", "1", "3", "0=0.1"],
        ["BinaryOp", "add", "2", "1", "3", "2", "dni_unclamped", "0=0"],
        ["ReLU", "dni_not_negative", "1", "1", "dni_unclamped", "output"],
    ]


def test_on_the_command_line(tmp_path: Path):
    asked = (*small_pair_files(tmp_path), "--format", "ncnn", "--no-verdict", "--json")
    result = dni("export", *asked, "--alpha", "0:1:0.5", "-o", tmp_path / "models").assert_ok()
    made = [Path(file["path"]) for file in json.loads(result.out)["files"]]
    assert [path.name for path in made] == [f"alpha-{alpha}-x1.param" for alpha in ("0.0", "0.5", "1.0")]
    first, *_ = outputs = [ncnn_run(path, photo(3, 9, 14)) for path in made]
    assert first.shape == (3, 9, 14)
    assert all(np.abs(one - other).max() > 1e-3 for one, other in pairwise(outputs))
    dni("inspect", made[0]).assert_error("is a file for programs that run ncnn; expected an .onnx file")

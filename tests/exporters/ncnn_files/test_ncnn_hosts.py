"""What Upscayl and realesrgan-ncnn-vulkan make of the files, and which networks they would run wrong."""

from pathlib import Path
from typing import Any

import ncnn
import numpy as np
import numpy.typing as npt
import pytest
import torch
from exporting import photo
from networks import conv
from networks_in_ncnn import pads_to_even
from torch import Tensor, nn

from dni_exporters import export
from dni_exporters.outputs import names_with_scale, scale_said
from dni_runtime import ExportError, load

AROUND = 10

Bytes = npt.NDArray[np.uint8]


class Doubles(nn.Module):
    """By two, with a result beyond 0 and 1 where the image is dark and bright; each pixel sees three."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = conv(3, 8), conv(8, 8), conv(8, 12)

    def forward(self, x: Tensor) -> Tensor:
        y = self.last(torch.relu(self.second(torch.relu(self.first(x)))))
        up = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
        return 1.3 * up - 0.15 + 0.3 * nn.functional.pixel_shuffle(y, 2)


def endpoints_of(network: nn.Module) -> list[dict[str, Tensor]]:
    torch.manual_seed(8)
    first = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return [first, {name: tensor + 0.05 * torch.randn(tensor.shape) for name, tensor in first.items()}]


def files_of(output: Path, network: nn.Module, tool: str | None, **options: Any) -> Any:
    asked = {"alphas": [0.3], "format": "ncnn", "tool": tool, "verdict": False, "verify": False, **options}
    return export(endpoints_of(network), output, arch=network.eval(), **asked)


def hosts(param: Path, picture: Bytes, scale: int, tile: int) -> Bytes:
    """What the programs do to a picture (H, W, 3), in tiles of `tile` pixels with 10 around each, on a CPU.

    As src/realesrgan.cpp, realesrgan_preproc.comp and realesrgan_postproc.comp have it (xinntao/Real-ESRGAN-ncnn-vulkan
    37026f4), in float32: their own float16 is not looked at here.
    """
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    net.opt.num_threads = 1
    assert net.load_param(str(param)) == 0
    assert net.load_model(str(param.with_suffix(".bin"))) == 0
    height, width, _ = picture.shape
    result = np.empty((height * scale, width * scale, 3), np.uint8)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            rows, columns = (
                (size - 1) - np.abs(np.abs(np.arange(first - AROUND, last + AROUND)) - (size - 1))
                for first, last, size in ((top, bottom, height), (left, right, width))
            )
            given = picture[np.ix_(rows, columns)].transpose(2, 0, 1) * np.float32(1 / 255)
            extractor = net.create_extractor()
            extractor.input("data", ncnn.Mat(np.ascontiguousarray(given)).clone())
            code, made = extractor.extract("output")
            assert code == 0
            inner = np.array(made)[:, scale * AROUND :, scale * AROUND :]
            inner = inner[:, : scale * (bottom - top), : scale * (right - left)]
            assert inner.min() >= 0, "what is negative is undefined as an unsigned integer"
            whole = np.minimum(np.floor(inner * np.float32(255) + np.float32(0.5)), 255).astype(np.uint8)
            result[scale * top : scale * bottom, scale * left : scale * right] = whole.transpose(1, 2, 0)
    return result


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_tiles_of_the_hosts_are_enhance_of_the_mirrored_picture(dtype: str, tmp_path: Path):
    """They mirror 10 pixels around a picture, where `enhance` gives the network what is there."""
    torch.manual_seed(8)
    network = Doubles()
    (file,) = files_of(tmp_path / "models" / "m-x2.param", network, "upscayl", dtype=dtype).files
    export(endpoints_of(network), tmp_path / "m.onnx", arch=network.eval(), alphas=[0.3], verdict=False, verify=False)
    picture = np.uint8(255 * photo(75, 101, 3))
    picture[:20] = 0
    picture[60:] = 255
    mirrored = np.pad(picture, ((AROUND, AROUND), (AROUND, AROUND), (0, 0)), "reflect")
    with load(tmp_path / "m.onnx", "cpu", threads=1) as model:
        wanted, plain = model.enhance(mirrored)[20:-20, 20:-20], model.enhance(picture)
    got = hosts(file.path, picture, 2, 32)
    assert got.shape == wanted.shape == (150, 202, 3)
    assert {0, 255} <= {*wanted.ravel()}
    off = np.abs(got.astype(int) - wanted)
    assert off.max() <= 1
    assert (off > 0).mean() < (1e-3 if dtype == "float32" else 0.05)  # halves that are rounded, weights of 11 bits
    inside = np.s_[6:-6, 6:-6]  # where the network does not see the border
    assert np.array_equal(plain[inside], wanted[inside])


@pytest.mark.parametrize(
    ("network", "output", "reason"),
    [
        (nn.Sequential(conv(1, 4), conv(4, 1)), "m-x1.param", "it has 1 channels and makes 1, expected 3 and 3"),
        (nn.Sequential(conv(3, 75), nn.PixelShuffle(5)), "m.param", "it enlarges by 5"),
        (Doubles(), "m.param", "reads a scale of 4 in the name m.param, .* enlarges by 2: call it m-x2.param"),
        (Doubles(), "m-x1.param", "reads a scale of 1 in the name m-x1.param, .* enlarges by 2: choose another name"),
        (pads_to_even()[0], "m-x2.param", "it takes multiples of 2 and would be given tiles of any height and width"),
        (nn.Sequential(conv(3, 3), nn.Tanh(), conv(3, 3)), "m-x1.param", "built without ncnn's layer TanH"),
    ],
)
def test_networks_that_they_would_run_wrong(network: nn.Module, output: str, reason: str, tmp_path: Path):
    with pytest.raises(ExportError, match=f"--for upscayl: .*{reason}"):
        files_of(tmp_path / "models" / output, network, "upscayl")
    assert [*tmp_path.iterdir()] == []
    report = files_of(tmp_path / "models" / output, network, None)
    assert any(note for note in report.notes if reason.split(",")[0].split(" ", 1)[1].split(" .*")[0] in note)
    assert [file.path.name for file in report.files] == [output]
    assert not [note for note in files_of(tmp_path / "android.param", network, "android").notes if "upscayl" in note]


@pytest.mark.parametrize(("enlarges", "notes"), [(2, 1), (4, 0)])
def test_upscayl_on_windows_knows_one_scale(enlarges: int, notes: int, tmp_path: Path):
    network = nn.Sequential(conv(3, 3 * enlarges**2), nn.PixelShuffle(enlarges))
    report = files_of(tmp_path / f"m-x{enlarges}.param", network, "upscayl")
    assert sum("on Windows takes a scale of 4" in note for note in report.notes) == notes


def test_each_program_has_layers_of_its_own(tmp_path: Path):
    network = nn.Sequential(conv(3, 4), nn.SiLU(), conv(4, 3))
    assert len(files_of(tmp_path / "m-x1.param", network, "upscayl").files) == 1
    with pytest.raises(ExportError, match=r"--for realesrgan-ncnn-vulkan: .* built without ncnn's layer Swish"):
        files_of(tmp_path / "n-x1.param", network, "realesrgan-ncnn-vulkan")


@pytest.mark.parametrize(
    ("name", "scale"),
    [("x4v3", 4), ("m-2x", 2), ("m", None), ("m-alpha-0.25-x3", 3), ("waifu2x", 2), ("waifu2x-x1", 1), ("x16", 1)],
)
def test_scales_in_names_are_read_as_upscayl_does(name: str, scale: int | None):
    assert scale_said(name) == scale


def test_a_scale_is_added_to_names_that_say_none():
    paths = [Path("models") / f"{name}.param" for name in ("m-alpha-0.2", "x4v3-alpha-0.2", "waifu2x-alpha-0.2")]
    assert [path.stem for path in names_with_scale(paths[:2], 4.0)] == ["m-alpha-0.2-x4", "x4v3-alpha-0.2"]
    assert [path.stem for path in names_with_scale(paths[2:], 1.0)] == ["waifu2x-alpha-0.2-x1"]
    for scale in (None, 1.5, 16.0):  # in x1.5 and x16 it reads 1
        assert names_with_scale(paths, scale) == paths


def test_several_names_in_which_upscayl_reads_another_scale(tmp_path: Path):
    """Refused for Upscayl; a program of your own knows the network."""
    twice = {"alphas": [0, 1], "output": tmp_path / "models" / "max1.param"}
    with pytest.raises(ExportError, match=r"reads a scale of 1 in the name max1-alpha-0\.0-x2\.param"):
        files_of(network=Doubles(), tool="upscayl", **twice)
    assert not [*tmp_path.iterdir()]
    report = files_of(network=Doubles(), tool=None, **twice)
    assert any("reads a scale of 1 in the name max1-alpha-0.0-x2.param" in note for note in report.notes)

"""Files for tools that feed one input: baked ones that those take, and alpha as a channel of the image."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from commands import dni
from exporting import assert_close, blended, expected, nodes, photo, run, small_network, small_pair
from networks import conv, pair
from photographs import noisy_crop, save_image
from torch import nn
from vs_mlrt_and_chainner import ChaiNNer, VsMlrt

from dni_deploy.demo import STRONG, WEAK
from dni_deploy.image_files.read_write import read_image
from dni_exporters import export
from dni_runtime import AlphaError, ExportError, InputError, ModelError, load, pin, read_metadata

FRAME = photo(3, 40, 56)


def exported(folder: Path, kind: str, name: str = "unet", **options: object) -> tuple[Path, nn.Module, dict, dict]:
    network, a, b = pair(name)
    path = folder / "model.onnx"
    more = {"alpha_input": True} if kind == "plane" else {"alphas": [0.3]}
    export([a, b], path, arch=network, single_input=kind, **more, **options)  # type: ignore[arg-type]
    return path, network, a, b


def with_alpha(frame: np.ndarray, *alphas: float) -> np.ndarray:
    return np.concatenate([frame, *(np.full((1, *frame.shape[1:]), a, np.float32) for a in alphas)])


def dimensions(value: onnx.ValueInfoProto) -> list[int | str]:
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize("kind", ["baked", "plane"])
def test_one_input_that_old_readers_take(tmp_path: Path, kind: str):
    path, *_ = exported(tmp_path, kind)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    (image,) = model.graph.input
    assert image.name == "input" and image.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert dimensions(image) == ([1, 4, "H", "W"] if kind == "plane" else ["N", 3, "H", "W"])
    assert dimensions(model.graph.output[0])[:2] == ([1, 3] if kind == "plane" else ["N", 3])
    assert (model.opset_import[0].version, model.ir_version) == (18, 8)  # ONNX Runtime 1.14 and later


@pytest.mark.parametrize("name", ["unet", "batch_norm", "pixel_shuffle"])
def test_vs_mlrt_takes_them(tmp_path: Path, name: str):
    """Planes of an RGB clip and a grey one, the frame in one tile and in several."""
    path, network, a, b = exported(tmp_path, "plane", name)
    for alpha in (0.0, 0.3, 1.0):
        wanted = expected(network, blended(a, b, alpha), FRAME[None])[0]
        assert_close(VsMlrt(path, 40, 56).frame(with_alpha(FRAME, alpha)), wanted)
    tiles = VsMlrt(path, 24, 32, overlap=8).frame(with_alpha(FRAME, 0.3))
    assert np.isfinite(tiles).all()
    path, network, a, b = exported(tmp_path / "baked", "baked", name)
    assert_close(VsMlrt(path, 40, 56).frame(FRAME), expected(network, blended(a, b, 0.3), FRAME[None])[0])


def test_chainner_takes_them(tmp_path: Path):
    path, network, a, b = exported(tmp_path, "plane", "batch_norm")
    image = FRAME[::-1].transpose(1, 2, 0)  # BGR
    height, width = FRAME.shape[1:]
    padded = np.pad(FRAME, ((0, 0), (0, -height % 16), (0, -width % 16)), "reflect")
    for alpha in (0.0, 0.3, 1.0):
        got = ChaiNNer(path).upscale(np.dstack([image, np.full((height, width), alpha, np.float32)]))
        wanted = expected(network, blended(a, b, alpha), padded[None])[0, :, :height, :width].clip(0, 1)
        assert_close(got[:, :, ::-1].transpose(2, 0, 1), wanted)
    # Without opacity it gives the network an opaque image: endpoint A.
    wanted = expected(network, a, padded[None])[0, :, :height, :width].clip(0, 1)
    assert_close(ChaiNNer(path).upscale(image)[:, :, ::-1].transpose(2, 0, 1), wanted)
    path, *_ = exported(tmp_path / "baked", "baked", "batch_norm")
    assert ChaiNNer(path).upscale(image).shape == image.shape


def test_a_constant_plane_survives_flips_and_padding(tmp_path: Path):
    path, network, a, b = exported(tmp_path, "plane", "batch_norm")
    wanted = expected(network, blended(a, b, 0.3), FRAME[None, :, ::-1, ::-1].copy())
    flipped = with_alpha(FRAME, 0.3)[None, :, ::-1, ::-1].copy()
    assert_close(run(path, flipped), wanted)
    # Zeros around everything: the largest element is alpha still, and exactly so.
    padded = np.pad(with_alpha(FRAME, 1.0), ((0, 0), (5, 3), (2, 9)))[None]
    assert_close(run(path, padded), expected(network, a, padded[:, :3]))
    assert_close(run(path, padded), run(path, with_alpha(padded[0, :3], 1.0)[None]), 0.0)


def test_values_out_of_range_are_clipped(tmp_path: Path):
    """A graph cannot refuse them; the 255 of an 8-bit plane would make weights that nobody trained."""
    path, network, a, b = exported(tmp_path, "plane", "batch_norm", alpha_range=(0.0, 1.5))
    image = FRAME[None]
    for given, used in ((255.0, 1.5), (-3.0, 0.0), (1.25, 1.25)):
        wanted = expected(network, blended(a, b, used), image)
        assert_close(run(path, with_alpha(FRAME, given)[None]), wanted)


def test_a_batch_is_refused_by_whoever_runs_the_file(tmp_path: Path):
    path, *_ = exported(tmp_path, "plane")
    two = np.stack([with_alpha(FRAME, 0.1), with_alpha(FRAME, 0.9)])
    with pytest.raises(Exception, match="Got: 2 Expected: 1"):
        run(path, two)
    with load(path, "cpu") as model, pytest.raises(InputError, match="batch size 2; the model takes 1 only"):
        model(np.stack([FRAME, FRAME]), 0.5)


def test_our_runtime_appends_the_planes_by_itself(tmp_path: Path):
    path, network, a, b = exported(tmp_path, "plane")
    with load(path, "cpu") as model:
        assert model.metadata.alpha_plane and model.alpha_note.startswith("alpha is a channel of the image; ")
        for alpha in (0.0, 0.3, 1.0):
            assert_close(model(FRAME[None], alpha), expected(network, blended(a, b, alpha), FRAME[None]))
        with pytest.raises(AlphaError, match="out of range"):
            model(FRAME[None], 1.2)
        with pytest.raises(AlphaError, match="needs alpha"):
            model(FRAME[None])
        with pytest.raises(InputError, match="channel count 4; the model takes 3 only"):
            model(with_alpha(FRAME, 0.3)[None], 0.3)
        image = noisy_crop(90, 100)
        assert model.enhance(image, 0.3, tile=72).shape == image.shape
        from_device = model.run_on_device(torch.from_numpy(FRAME[None]), 0.3)
        assert_close(torch.from_dlpack(from_device).numpy(), model(FRAME[None], 0.3), 0.0)
    with pytest.raises(AlphaError, match="this one takes it as a channel of the image"):
        pin(onnx.load(path), 0.5)


def test_several_endpoints_take_as_many_planes(tmp_path: Path):
    network, endpoints = small_pair(3)
    path = tmp_path / "model.onnx"
    export(endpoints, path, alpha_input=True, arch=network, single_input="plane")
    assert dimensions(onnx.load(path).graph.input[0]) == [1, 5, "H", "W"]
    weights = {k: sum(s * e[k] for s, e in zip((0.2, 0.5, 0.3), endpoints, strict=True)) for k in endpoints[0]}
    wanted = expected(network, weights, FRAME[None])
    assert_close(VsMlrt(path, 40, 56).frame(with_alpha(FRAME, 0.2, 0.5)), wanted[0])
    with load(path, "cpu") as model:
        assert_close(model(FRAME[None], (0.2, 0.5)), wanted)


def test_grey_networks_take_two_planes(tmp_path: Path):
    torch.manual_seed(0)
    network = nn.Sequential(conv(1, 8), nn.ReLU(), conv(8, 1)).eval()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.05 for name, tensor in a.items()}
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, single_input="plane", input_shape=(1, 1, 16, 18))
    assert dimensions(onnx.load(path).graph.input[0]) == [1, 2, "H", "W"]
    wanted = expected(network, blended(a, b, 0.3), FRAME[None, :1])[0]
    assert_close(VsMlrt(path, 40, 56).frame(with_alpha(FRAME[:1], 0.3)), wanted)


@pytest.mark.parametrize(
    "options",
    [{"delta": "int8"}, {"dtype": "float16"}, {"static": True, "input_shape": (1, 3, 40, 56)}, {"opset": 20}],
    ids=lambda options: next(iter(options)),
)
def test_with_other_options(tmp_path: Path, options: dict):
    path, network, a, b = exported(tmp_path, "plane", "batch_norm", **options)
    model = onnx.load(path)
    assert model.opset_import[0].version == options.get("opset", 18)
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    wanted = expected(network, blended(a, b, 0.3), FRAME[None])[0]
    assert_close(VsMlrt(path, 40, 56).frame(with_alpha(FRAME, 0.3)), wanted, 2e-2 if len(options) == 1 else 1e-5)
    assert bool(nodes(model, "DequantizeLinear")) == ("delta" in options)


def four_channels() -> nn.Module:
    return nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 4))


def half_size() -> nn.Module:
    return nn.Sequential(conv(3, 8, stride=2), nn.ReLU(), conv(8, 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha_input": True, "single_input": "baked"}, "--single-input baked is for --alpha X"),
        ({"alphas": [0.5], "single_input": "plane"}, "--single-input plane is for --alpha-input"),
        ({"alpha_input": True, "weights": "external"}, "tools that take one input read one file; use --weights embed"),
        ({"alpha_input": True, "weights": "link"}, "tools that take one input read one file; use --weights embed"),
        ({"alpha_input": True, "alpha_default": 0.5}, "there is no input to leave out"),
        ({"alpha_input": True, "single_input": "both"}, "single_input is 'both'; expected one of baked, plane"),
        ({"alphas": [0.5], "single_input": "baked", "arch": four_channels}, "the network gives 4 channels; tools"),
        ({"alpha_input": True, "arch": half_size}, "expect a whole multiple"),
        (
            {"alphas": [0.5], "single_input": "baked", "static": True, "input_shape": (2, 3, 16, 16)},
            "the model takes 2 images at a time, and tools with one input feed 1",
        ),
    ],
)
def test_what_those_tools_would_refuse_is_not_written(tmp_path: Path, options: dict, message: str):
    torch.manual_seed(0)
    options = {"single_input": "plane", "arch": small_network, **options}
    network = options.pop("arch")().eval()
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    b = {name: tensor + 0.01 for name, tensor in a.items()}
    with pytest.raises(ExportError, match=message):
        export([a, b], tmp_path / "model.onnx", arch=network, **options)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line(tmp_path: Path):
    path = tmp_path / "plane.onnx"
    dni("export", WEAK, STRONG, "--alpha-input", "--single-input", "plane", "-o", path).assert_ok()
    assert "0..1, no default, the last channels of the image" in dni("inspect", path).assert_ok().out
    metadata = read_metadata(onnx.load(path))
    assert metadata is not None and metadata.alpha_plane and len(metadata.endpoints) == 2
    # dni run adds the channel, and makes what the file with two inputs makes.
    photo_path = save_image(tmp_path / "photo.png", noisy_crop())
    dni("export", WEAK, STRONG, "--alpha-input", "-o", tmp_path / "two.onnx").assert_ok()
    for model in ("plane", "two"):
        result = dni("run", tmp_path / f"{model}.onnx", photo_path, "--alpha", 0.4, "-o", tmp_path / f"{model}.png")
        result.assert_ok()
    one, other = (read_image(tmp_path / f"{model}.png").astype(int) for model in ("plane", "two"))
    assert np.abs(one - other).max() <= 1
    dni("run", path, photo_path, "-o", tmp_path / "x.png").assert_error("needs alpha")
    dni("bench", path).assert_error("has no input alpha")


def test_a_server_is_given_the_other_kind(tmp_path: Path):
    from dni_deploy.ship.model_file import read_model_file

    path, *_ = exported(tmp_path, "plane", "batch_norm")
    with pytest.raises(ModelError, match="export it without --single-input"):
        read_model_file(path)

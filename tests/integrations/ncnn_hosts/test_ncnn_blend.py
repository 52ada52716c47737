"""integrations/ncnn: two of ncnn's files blended in C++ are, in ncnn itself, the network of the strength in between."""

import subprocess
from pathlib import Path

import ncnn
import numpy as np
import numpy.typing as npt
import pytest
from ncnn_forms import PARTS, stack
from onnx.numpy_helper import to_array
from onnx_models import conv_stack, save
from PIL import Image

from dni_runtime import load

FLOAT16, INT8 = 0x01306B47, 0x000D4B38

FloatArray = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .param file of conv_stack, and .bin files of its ends, flags of float32 before weights of a convolution."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "model.param").write_text(stack())
    for alpha in (0, 1):
        weights = {each.name: to_array(each) for each in conv_stack(alpha=float(alpha)).graph.initializer}
        parts = [weights[part.weight].ravel() for part in PARTS]
        flag = np.zeros(1, np.float32)
        np.concatenate([flag, *parts[:2], flag, *parts[2:]]).tofile(folder / f"{alpha}.bin")
    return folder


def run(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=300)


def in_ncnn(param: Path, weights: Path, image: FloatArray) -> FloatArray:
    """What ncnn makes of an image (C, H, W)."""
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    assert net.load_param(str(param)) == 0 and net.load_model(str(weights)) == 0
    extractor = net.create_extractor()
    assert extractor.input(net.input_names()[0], ncnn.Mat(image).clone()) == 0
    code, result = extractor.extract(net.output_names()[0])
    assert code == 0
    return np.array(result)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1 / 3, 1.0])
def test_a_blended_file_is_the_network_at_that_alpha(blend_program: Path, folder: Path, tmp_path: Path, alpha: float):
    done = run(blend_program, folder / "1.bin", folder / "0.bin", repr(alpha), tmp_path / "x.bin")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    image = np.random.default_rng(3).uniform(0, 1, (1, 3, 17, 22)).astype(np.float32)
    with load(save(conv_stack(), tmp_path / "model.onnx"), "cpu", threads=1) as model:
        wanted = model(image, alpha)[0]
    # float32 rounding: ncnn adds up in another order.
    np.testing.assert_allclose(in_ncnn(folder / "model.param", tmp_path / "x.bin", image[0]), wanted, rtol=0, atol=1e-5)


def test_it_is_the_arithmetic_of_the_exported_files_to_the_bit(blend_program: Path, folder: Path, tmp_path: Path):
    a, b = (np.fromfile(folder / f"{alpha}.bin", np.float32) for alpha in (1, 0))
    a[5:9] = b[5:9]
    a.tofile(tmp_path / "a.bin")
    for alpha in (0.3, 0.7, 1 / 3):
        run(blend_program, tmp_path / "a.bin", folder / "0.bin", alpha, tmp_path / "x.bin").check_returncode()
        share = np.float32(alpha)
        wanted = np.where(a == b, a, a * share + b * (1 - share))
        assert np.array_equal(np.fromfile(tmp_path / "x.bin", np.uint32), wanted.view(np.uint32))
    for alpha, end in ((1, tmp_path / "a.bin"), (0, folder / "0.bin")):
        run(blend_program, tmp_path / "a.bin", folder / "0.bin", alpha, tmp_path / "x.bin").check_returncode()
        assert (tmp_path / "x.bin").read_bytes() == end.read_bytes()


@pytest.mark.parametrize("alpha", ["1.01", "-0.1", "nan", "inf", "half", "", "0.5x"])
def test_an_alpha_that_is_none_is_refused(blend_program: Path, folder: Path, tmp_path: Path, alpha: str):
    assert_refused(
        blend_program, folder / "1.bin", folder / "0.bin", alpha, tmp_path / "x.bin", "no number from 0 to 1"
    )


def test_files_that_are_no_pair_are_refused(blend_program: Path, folder: Path, tmp_path: Path):
    whole = (folder / "1.bin").read_bytes()
    (tmp_path / "short.bin").write_bytes(whole[:-4])
    (tmp_path / "odd.bin").write_bytes(whole[:-1])
    (tmp_path / "empty.bin").write_bytes(b"")
    for name, flag in (("half", FLOAT16), ("int8", INT8)):
        (tmp_path / f"{name}.bin").write_bytes(flag.to_bytes(4, "little") + whole[4:])
    out = tmp_path / "x.bin"
    (tmp_path / "folder.bin").mkdir()
    for name in ("short", "odd", "empty", "missing", "folder"):
        for pair in ((folder / "1.bin", tmp_path / f"{name}.bin"), [tmp_path / f"{name}.bin"] * 2):
            if name != "short" or pair[0] != pair[1]:
                assert_refused(blend_program, *pair, 0.5, out, "expected two of the same network")
    for name in ("half", "int8"):
        assert_refused(blend_program, *[tmp_path / f"{name}.bin"] * 2, 0.5, out, "expected files of float32")
    assert_refused(blend_program, folder / "1.bin", folder / "0.bin", "usage: blend")
    assert_refused(
        blend_program, folder / "1.bin", folder / "0.bin", 0.5, tmp_path / "no" / "x.bin", "cannot be written"
    )


def assert_refused(program: Path, *arguments: object) -> None:
    *given, message = arguments
    done = run(program, *given)
    assert (done.returncode, done.stdout) == (1, "")
    assert str(message) in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (len(given) == 4 and Path(str(given[3])).exists())


def test_a_program_that_runs_ncnn_makes_the_pixels_of_enhance(enhance_program: Path, folder: Path, tmp_path: Path):
    pixels = np.random.default_rng(4).integers(0, 256, (19, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.ppm")
    with load(save(conv_stack(), tmp_path / "model.onnx"), "cpu", threads=1) as model:
        for alpha in (0.0, 0.3, 1.0):
            ends = (folder / "1.bin", folder / "0.bin")
            done = run(enhance_program, folder / "model.param", *ends, alpha, tmp_path / "in.ppm", tmp_path / "out.ppm")
            assert (done.returncode, done.stderr) == (0, "")
            with Image.open(tmp_path / "out.ppm") as image:
                found = np.asarray(image).astype(int)
            # What lies between two values of 8 bits within float32 rounding goes to either.
            differences = np.abs(found - model.enhance(pixels, alpha))
            assert differences.max() <= 1 and (differences > 0).mean() < 0.001
    other = tmp_path / "other.param"
    other.write_text(stack().replace(" 0=3 ", " 0=2 ").replace("6=216", "6=144"))
    done = run(enhance_program, other, *ends, 0.3, tmp_path / "in.ppm", tmp_path / "none.ppm")
    assert done.returncode == 1 and "do not belong together" in done.stderr
    assert not (tmp_path / "none.ppm").exists()

"""On a GPU: all that `enhance` does beside plain tiles, and models whose strength is more than one share."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from along_paths import PATHS, path_model, places
from exporting import assert_close, photo, run, small_pair
from onnx_models import conv_stack, picture, save
from with_averages import MANY, ONE, STAGED, difference, gated, slope
from with_knobs import with_knob

from dni_exporters import export
from dni_runtime import load

pytestmark = pytest.mark.gpu

IMAGE = photo(2, 3, 28, 12)
# Of 255: what is summed in another order may round the other way.
ROUNDED = 1
# The same, of floats from 0 to 1 in float32.
SUMMED = 1e-5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save(conv_stack(scale=2), tmp_path / "model.onnx")


def ramp(height: int, width: int) -> np.ndarray:
    """A strength for each pixel: held at the left, rising to the right."""
    return np.broadcast_to(np.linspace(-0.2, 0.9, width, dtype=np.float32).clip(0), (height, width))


def assert_same_pictures(path: Path, image: np.ndarray, alpha: object, **options: object) -> None:
    with load(path, "cuda") as cuda, load(path, "cpu") as cpu:
        # Twice: the second one replays graphs.
        got = [cuda.enhance(image, alpha, **options) for _ in range(2)]
        wanted = cpu.enhance(image, alpha, **options)
    for result in got:
        assert result.dtype == wanted.dtype
        assert result.shape == wanted.shape
        apart = np.abs(result.astype(np.float64) - wanted).max()
        assert apart <= (SUMMED if wanted.dtype == np.float32 else ROUNDED)


@pytest.mark.parametrize("tile", [0, 48])
def test_a_strength_for_each_region(path: Path, tile: int):
    assert_same_pictures(path, picture(70, 90, 3), ramp(70, 90), tile=tile)


@pytest.mark.parametrize("tile", [0, 48])
def test_edges_that_meet(path: Path, tile: int):
    assert_same_pictures(path, picture(70, 90, 3), 0.4, tile=tile, wrap=True)


@pytest.mark.parametrize("tile", [0, 48])
def test_images_of_floats(path: Path, tile: int):
    assert_same_pictures(path, picture(70, 90, 3).astype(np.float32) / 255, 0.4, tile=tile)


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_hidden_pixels(path: Path, channels: int):
    image = picture(40, 50, 4)
    image[:, 25:, 3] = 0
    shown = image if channels == 4 else image[:, :, 0]
    assert_same_pictures(path, shown, 0.4)


def test_batches_and_several_alphas(path: Path):
    images = np.stack([picture(32, 40, 3, seed=seed) for seed in range(5)])
    with load(path, "cuda") as cuda, load(path, "cpu") as cpu:
        got, wanted = (model.enhance_batch(images, 0.4) for model in (cuda, cpu))
        for one, other in zip(got, wanted, strict=True):
            assert np.abs(one.astype(int) - other).max() <= ROUNDED
        for alpha in (0.1, 0.9, 0.1):
            apart = cuda.enhance(images[0], alpha).astype(int) - cpu.enhance(images[0], alpha)
            assert np.abs(apart).max() <= ROUNDED


@pytest.mark.parametrize("kinds", [ONE, STAGED, MANY], ids=["one", "staged", "many"])
def test_averages_over_the_whole_image(kinds: tuple[str, ...], tmp_path: Path):
    path, image = save(gated(kinds), tmp_path / "gated.onnx"), slope(96, 160, 3)
    with load(path, "cuda") as cuda, load(path, "cpu") as cpu:
        whole = cpu.enhance(image, 0.4, tile=0)
        for _ in range(2):
            # As in test_averages_in_tiles.py.
            assert difference(cuda.enhance(image, 0.4, tile=48), whole) <= 0.05
        assert difference(cuda.enhance(image, 0.4, tile=0), whole) <= 0.05


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("kind", PATHS)
def test_paths(kind: str, dtype: str, tmp_path_factory: pytest.TempPathFactory):
    path = path_model(tmp_path_factory.getbasetemp(), kind, **({} if dtype == "float32" else {"dtype": dtype}))
    with load(path, "cuda") as model:
        for alpha in places(PATHS[kind]):
            assert_close(model(IMAGE, alpha), run(path, IMAGE, alpha), 1e-5 if dtype == "float32" else 2e-2)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_knobs(dtype: str, tmp_path: Path):
    network, endpoints = small_pair()
    path = tmp_path / "m.onnx"
    more = {"knobs": {"late": "2.*"}, "dtype": dtype, "verdict": False, "verify": False}
    export(endpoints, path, arch=network, alpha_input=True, **more)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with load(path, "cuda") as model:
        for alphas in ((0.31, 0.77), (0.77, 0.31), (0.77, 0.31), (1.0, 0.0), (0.0, 1.0)):
            feed = {name: [value] for name, value in zip(("alpha", "alpha_late"), alphas, strict=True)}
            (expected,) = session.run(["output"], {"input": IMAGE, **feed})
            assert_close(model(IMAGE, alphas), expected, 1e-5 if dtype == "float32" else 2e-2)


def test_knobs_of_images(tmp_path: Path):
    assert_same_pictures(save(with_knob(), tmp_path / "model.onnx"), picture(40, 50, 3), (0.2, 0.8))

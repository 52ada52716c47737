"""The benchmark of photographs: it sees what a result has lost, and calls nothing else a fault."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_scripts import BENCHMARKS, scripts
from PIL import Image, ImageCms

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    with scripts("photographs", ("costs", "corpus", "expected", "page", "returning", "worker")) as modules:
        yield modules


def save(path: Path, *frames: Any, **settings: Any) -> Path:
    first, *others = [Image.fromarray(frame) for frame in frames]
    first.save(path, **settings, **({"save_all": True, "append_images": others} if others else {}))
    return path


def opaque(pixels: Any, opacity: int = 255) -> Any:
    return np.dstack([pixels, np.full(pixels.shape[:2], opacity, np.uint8)])


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF = Image.Exif()
EXIF[0x010F], EXIF[0x0112] = "A maker", 6
WRONG = {
    "size": ((PIXELS,), {}, (PIXELS[1:],), {}, "size (30, 19), expected (30, 20)"),
    "a pixel": ((PIXELS,), {}, (PIXELS ^ 1,), {}, "off by 1.0 of 255 (PNG)"),
    "opacity": ((opaque(PIXELS, 128),), {}, (PIXELS,), {}, "opacity is lost (PNG to PNG)"),
    "bits": ((PIXELS[:, :, 0].astype(np.uint16) * 257,), {}, (PIXELS[:, :, 0],), {}, "8 bits of 16"),
    "a picture": (
        (PIXELS, PIXELS ^ 255, PIXELS ^ 3),
        {},
        (PIXELS, PIXELS ^ 255),
        {},
        "2 of 3 pictures, without a word (PNG to PNG)",
    ),
    "the profile": ((PIXELS,), {"icc_profile": PROFILE}, (PIXELS,), {}, "profile is lost (PNG to PNG)"),
    "another profile": (
        (PIXELS,),
        {"icc_profile": PROFILE},
        (PIXELS,),
        {"icc_profile": PROFILE[:-1] + b"x"},
        "profile is not the same (PNG to PNG)",
    ),
    "who made it": ((PIXELS,), {"exif": EXIF}, (PIXELS.swapaxes(0, 1)[:, ::-1],), {}, "EXIF is lost (PNG to PNG)"),
    "dpi": ((PIXELS,), {"dpi": (300, 300)}, (PIXELS,), {}, "dpi is lost (PNG to PNG)"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_a_result_has_lost_is_seen(benchmark: Any, tmp_path: Path, what: str):
    frames, settings, made, made_settings, problem = WRONG[what]
    wanted = benchmark.expected.look(save(tmp_path / "in.png", *frames, **settings))
    result = save(tmp_path / "out.png", *(np.ascontiguousarray(frame) for frame in made), **made_settings)
    assert benchmark.expected.differences(wanted, result, "") == problem


RIGHT = {
    "turned upright": ((PIXELS,), {"exif": EXIF}, ".png"),
    "hidden colours": ((opaque(PIXELS, 0),), {}, ".png"),
    "a JPEG": ((PIXELS // 16 + 100,), {"quality": 95}, ".jpg"),
    "frames": ((PIXELS, PIXELS ^ 255), {"duration": 40}, ".png"),
    "pages": ((PIXELS, PIXELS ^ 255), {}, ".tif"),
    "a profile": ((PIXELS,), {"icc_profile": PROFILE, "dpi": (300, 300)}, ".tif"),
}


@pytest.mark.parametrize("what", RIGHT)
def test_what_dni_run_makes_of_good_files_is_right(benchmark: Any, tmp_path: Path, what: str):
    """By the command itself, each in a process of its own."""
    frames, settings, suffix = RIGHT[what]
    assert set(outcomes(benchmark, tmp_path, save(tmp_path / f"x{suffix}", *frames, **settings))) == {("right", "")}


def outcomes(benchmark: Any, folder: Path, file: Path) -> list[tuple[str, str]]:
    corpus = benchmark.corpus
    model = folder / "returning.onnx"
    model.write_bytes(benchmark.returning.returning().SerializeToString())
    case = corpus.Case(corpus.KIND, file.suffix, file.name, partial(corpus._copy, source=file))
    ways = {corpus.KIND: corpus.Kit(model).ways()}
    (found,) = benchmark.worker.try_all([case], ways, folder, [folder, *BENCHMARKS.parents])
    assert [outcome.way for outcome in found] == ["its own kind", "to PNG"]
    summary = corpus.summary(found)
    assert f"| all | 1 | to PNG | {sum(o.result == 'right' for o in found[1:])} |" in benchmark.page.page(
        {"corpus": summary}
    )
    return [(outcome.result, outcome.detail) for outcome in found]


def test_a_refusal_is_counted_by_its_sentence(benchmark: Any, tmp_path: Path):
    (tmp_path / "none.png").write_bytes(b"no image at all")
    found = outcomes(benchmark, tmp_path, tmp_path / "none.png")
    assert [result for result, _ in found] == ["refused", "refused"]
    assert "failed: none.png is not an image" in found[0][1]


def test_small_files_are_timed_after_their_results_agree(benchmark: Any, tmp_path: Path):
    found = benchmark.costs.small_files(tmp_path, 3)
    assert (found["files"], found["peak_mb"] > 10) == (3, True)
    assert "| files | `dni run`: of processors |" in benchmark.page.page({"small": found})

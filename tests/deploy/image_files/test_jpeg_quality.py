"""The quality of a JPEG file, told from its tables."""

import io
from pathlib import Path

import numpy as np
import pytest
from onnx_models import picture
from PIL import Image

from dni_deploy.image_files.jpeg_quality import jpeg_quality

PIXELS = picture(24, 40, 3)


def jpeg(path: Path, **options: object) -> Path:
    Image.fromarray(PIXELS).save(path, "JPEG", **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("quality", [*range(1, 101, 9), 75, 95, 98, 99])
def test_it_is_the_quality_that_the_file_was_written_at(tmp_path: Path, quality: int):
    assert jpeg_quality(jpeg(tmp_path / "a.jpg", quality=quality)) == quality


@pytest.mark.parametrize(
    "options",
    [
        {"subsampling": 0},
        {"progressive": True},
        {"optimize": True},
        {"exif": b"Exif\0\0" + bytes(60_000)},
        {"icc_profile": bytes(200_000)},
        {"comment": b"\xff\xdb\x00\x43\x00" + bytes(64)},
    ],
    ids=lambda options: next(iter(options)),
)
def test_whatever_else_is_in_the_file(tmp_path: Path, options: dict[str, object]):
    assert jpeg_quality(jpeg(tmp_path / "a.jpg", quality=40, **options)) == 40


def test_grey_has_a_quality(tmp_path: Path):
    Image.fromarray(PIXELS[:, :, 0]).save(tmp_path / "a.jpg", quality=30)
    assert jpeg_quality(tmp_path / "a.jpg") == 30


def test_the_name_does_not_matter(tmp_path: Path):
    assert jpeg_quality(jpeg(tmp_path / "a.png", quality=60)) == 60


@pytest.mark.parametrize(("factor", "quality"), [(1.1, 46), (0.52, 74)])
def test_tables_of_its_own_are_those_of_the_nearest_quality(tmp_path: Path, factor: float, quality: int):
    """A camera's: those of quality 50, all steps by one factor and some random."""
    with Image.open(jpeg(tmp_path / "plain.jpg", quality=50)) as image:
        tables = image.quantization  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    own = {key: [max(1, round(step * factor * rng.uniform(0.9, 1.1))) for step in t] for key, t in tables.items()}
    assert jpeg_quality(jpeg(tmp_path / "a.jpg", qtables=own)) == pytest.approx(quality, abs=2)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP"])
def test_another_kind_of_file_has_none(tmp_path: Path, kind: str):
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", kind)
    assert jpeg_quality(tmp_path / "a.jpg") is None


HEAD = b"\xff\xd8\xff\xe0\x00\x04JF"
DAMAGED = {
    "empty": b"",
    "cut short": HEAD + b"\xff\xdb\x00\x43\x00" + bytes([9]) * 20,
    "no table": HEAD + b"\xff\xda\x00\x02",
    "steps of zero": HEAD + b"\xff\xdb\x00\x43\x00" + bytes(64) + b"\xff\xd9",
    "a length of none": HEAD + b"\xff\xe1\x00\x00" * 2000,
    "bytes between": HEAD + b"\x00\x00\x00\x00",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_has_none(tmp_path: Path, content: bytes):
    (tmp_path / "a.jpg").write_bytes(content)
    assert jpeg_quality(tmp_path / "a.jpg") is None


def test_steps_of_16_bits_count_too(tmp_path: Path):
    """Of 12-bit JPEGs; the same table, written wide."""
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG", quality=50)
    start = file.getvalue().index(b"\xff\xdb")
    table = file.getvalue()[start + 5 : start + 69]
    wide = b"\xff\xdb\x00\x83\x10" + np.frombuffer(table, np.uint8).astype(">u2").tobytes()
    (tmp_path / "a.jpg").write_bytes(HEAD + wide)
    assert jpeg_quality(tmp_path / "a.jpg") == 50

"""What a photograph says beside its pixels is in its result, byte for byte where nothing about it has changed."""

import resource
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx_models import picture
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from png_files import chunk, png

from dni_deploy.image_files.image_file import ImageFile, Writing
from dni_deploy.image_files.reading import read_file
from dni_deploy.image_files.writing import fit_to, write_file

PIXELS = picture(20, 30, 3)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description dc:title="caf\xc3\xa9"/></x:xmpmeta>'


def exif(orientation: int = 1, *, order: str = "<", thumbnail: bytes = b"", width: int = 30, height: int = 20) -> bytes:
    """Camera, orientation, a maker's notes at an odd distance, and the size; a thumbnail after it all."""
    notes = b"MAKER\0" + bytes(range(50))
    main = [(0x010F, 2, 6, None), (0x0112, 3, 1, orientation), (0x8769, 4, 1, None)]
    at = 8 + 2 + 12 * len(main) + 4
    camera, at = at, at + 6
    sub = at
    inner_end = sub + 2 + 12 * 3 + 4
    second = inner_end + len(notes)

    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        content = struct.pack(f"{order}HH", value, 0) if kind == 3 and count == 1 else struct.pack(f"{order}I", value)
        return struct.pack(f"{order}HHI", tag, kind, count) + content

    result = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(main))
    result += entry(0x010F, 2, 6, camera) + entry(0x0112, 3, 1, orientation) + entry(0x8769, 4, 1, sub)
    result += struct.pack(f"{order}I", second if thumbnail else 0) + b"Canon\0"
    result += struct.pack(f"{order}H", 3) + entry(0x927C, 7, len(notes), inner_end)
    result += entry(0xA002, 4, 1, width) + entry(0xA003, 3, 1, height) + bytes(4) + notes
    if thumbnail:
        result += struct.pack(f"{order}H", 2) + entry(0x0201, 4, 1, second + 30) + entry(0x0202, 4, 1, len(thumbnail))
        result += bytes(4) + thumbnail
    return result


def saved(path: Path, **options: object) -> Path:
    Image.fromarray(PIXELS).save(path, **options)  # type: ignore[arg-type]
    return path


def passed_on(source: Path, target: Path, writing: Writing = Writing()) -> ImageFile:  # noqa: B008
    """What a network that returns its input makes of a file, read again."""
    write_file(target, fit_to(read_file(source), target, writing), writing)
    return read_file(target)


KEEP_ALL = ["jpg", "png", "webp", "tif", "avif"]


def with_all(path: Path, order: str) -> Path:
    """A photograph as other programs write it, each in its way."""
    options: dict[str, object] = {"icc_profile": ICC, "exif": b"Exif\0\0" + exif(order=order), "xmp": XMP}
    if path.suffix == ".png":
        text = options["pnginfo"] = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    elif path.suffix == ".tif":
        directory = options["exif"] = Image.Exif()
        directory.load(exif(order=order))
        directory[700] = XMP
    return saved(path, **options)


@pytest.mark.parametrize("to", KEEP_ALL)
@pytest.mark.parametrize("suffix", KEEP_ALL)
@pytest.mark.parametrize("order", ["<", ">"])
def test_profile_exif_and_xmp_are_the_same_bytes(tmp_path: Path, suffix: str, to: str, order: str):
    source = with_all(tmp_path / f"a.{suffix}", order)
    before = read_file(source)
    after = passed_on(source, tmp_path / f"b.{to}")
    assert before.tags.icc == after.tags.icc == ICC
    assert before.tags.xmp == after.tags.xmp == XMP
    assert before.tags.exif is not None and after.tags.exif is not None
    if not {"tif", "avif"} & {suffix, to}:  # a TIFF has directories of its own, and AVIF says orientation elsewhere
        assert before.tags.exif == after.tags.exif == exif(order=order)
    for tags in (before.tags, after.tags):
        found = Image.Exif()
        found.load(tags.exif or b"")
        assert found[0x010F] == "Canon"
        assert found.get_ifd(0x8769)[0x927C] == b"MAKER\0" + bytes(range(50))
    assert before.notes == after.notes == ()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_is_reset_and_all_other_bytes_stay(tmp_path: Path, orientation: int, order: str):
    thumbnail = b"\xff\xd8 a small picture \xff\xd9"
    given = exif(orientation, order=order, thumbnail=thumbnail)
    source = saved(tmp_path / "a.jpg", exif=b"Exif\0\0" + given)
    file = read_file(source)
    assert file.pictures[0].shape[:2] == ((30, 20) if orientation > 4 else (20, 30))
    expected = exif(order=order, width=20, height=30) if orientation > 4 else exif(order=order)
    assert file.tags.exif == expected


def test_exif_says_the_size_of_the_result(tmp_path: Path):
    source = saved(tmp_path / "a.jpg", exif=b"Exif\0\0" + exif(6))
    file = read_file(source)
    large = replace(file, pictures=(np.kron(file.pictures[0], np.ones((3000, 1, 1), np.uint8)),))
    write_file(tmp_path / "b.png", fit_to(large, tmp_path / "b.png"))
    found = Image.Exif()
    found.load(read_file(tmp_path / "b.png").tags.exif or b"")
    assert (found.get_ifd(0x8769)[0xA002], found.get_ifd(0x8769)[0xA003]) == (20, 90_000)


@pytest.mark.parametrize("xmp", [b'<x tiff:Orientation="6"/>', b"<tiff:Orientation>6</tiff:Orientation>"])
def test_an_orientation_in_xmp_alone(tmp_path: Path, xmp: bytes):
    file = read_file(saved(tmp_path / "a.jpg", xmp=xmp))
    assert file.pictures[0].shape == (30, 20, 3)
    assert file.tags.xmp == xmp.replace(b"6", b"1")


@pytest.mark.parametrize("content", [b"", b"II", b"MM\0*", b"II*\0\xff\xff\xff\xff" + bytes(20), bytes(100)])
def test_damaged_exif_is_told_or_passed_on(tmp_path: Path, content: bytes):
    (tmp_path / "a.png").write_bytes(png(PIXELS, extra=chunk(b"eXIf", content)))
    after = passed_on(tmp_path / "a.png", tmp_path / "b.webp")
    assert after.pictures[0].shape == PIXELS.shape
    assert after.tags.exif is None or after.tags.exif == content


# --- PNG ---

TEXTS = [
    (b"tEXt", b"Software\0caf\xe9"),
    (b"zTXt", b"Description\0\0" + zlib.compress(b"x" * 3_000_000)),  # three times Pillow's limit
    (b"iTXt", b"parameters\0\0\0de\0\0" + "Stufe: café".encode()),
    (b"gAMA", struct.pack(">I", 100_000)),
    (b"cHRM", struct.pack(">8I", *range(31_000, 39_000, 1000))),
    (b"cICP", bytes([9, 16, 0, 1])),
    (b"pHYs", struct.pack(">2IB", 2835, 5669, 1)),
]


@pytest.mark.parametrize("bits", [8, 16])
def test_text_and_colours_of_a_png_are_the_same_chunks(tmp_path: Path, bits: int):
    extra = b"".join(chunk(kind, content) for kind, content in TEXTS)
    samples = picture(20, 30, 3, dtype=np.uint16 if bits == 16 else np.uint8)
    (tmp_path / "a.png").write_bytes(png(samples, bits=bits, extra=extra))
    before = read_file(tmp_path / "a.png")
    after = passed_on(tmp_path / "a.png", tmp_path / "b.png")
    assert before.tags.chunks == after.tags.chunks == tuple(TEXTS)
    assert before.notes == after.notes == ()
    assert after.tags.dpi == pytest.approx((72, 144), abs=0.1)
    content = (tmp_path / "b.png").read_bytes()
    for kind, data in TEXTS:
        assert content.count(chunk(kind, data)) == 1


def test_a_profile_of_some_megabytes(tmp_path: Path):
    profile = ICC + np.random.default_rng(0).bytes(3_000_000)
    extra = chunk(b"iCCP", b"name\0\0" + zlib.compress(profile))
    (tmp_path / "a.png").write_bytes(png(PIXELS, extra=extra))
    for suffix in ("png", "jpg", "webp", "tif"):
        assert passed_on(tmp_path / "a.png", tmp_path / f"b.{suffix}").tags.icc == profile


def test_a_bomb_of_text_is_left_out(tmp_path: Path):
    deflate = zlib.compressobj(9)
    text = b"".join(deflate.compress(bytes(2**20)) for _ in range(200)) + deflate.flush()
    extra = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + text) + chunk(b"tEXt", b"Title\0kept")
    (tmp_path / "a.png").write_bytes(png(PIXELS, extra=extra))
    file = read_file(tmp_path / "a.png")
    assert file.notes == ("its XMP left out (more than 64 MiB)",)
    assert file.tags.chunks == ((b"tEXt", b"Title\0kept"),)


def test_a_damaged_text_is_left_out(tmp_path: Path):
    damaged = chunk(b"tEXt", b"Title\0kept")[:-1] + b"?"
    (tmp_path / "a.png").write_bytes(png(PIXELS, extra=damaged))
    file = read_file(tmp_path / "a.png")
    np.testing.assert_array_equal(file.pictures[0], PIXELS)
    assert file.notes == ("a damaged part (tEXt) left out",)


def test_exif_that_imagemagick_wrote_as_text(tmp_path: Path):
    text = f"\nexif\n{len(exif(6)) + 6:8}\n".encode() + (b"Exif\0\0" + exif(6)).hex().encode()
    content = b"Raw profile type exif\0\0" + zlib.compress(text)
    (tmp_path / "a.png").write_bytes(png(PIXELS, extra=chunk(b"zTXt", content)))
    file = read_file(tmp_path / "a.png")
    assert (file.pictures[0].shape, file.tags.exif, file.tags.chunks) == ((30, 20, 3), exif(width=20, height=30), ())


# --- what a format has no place for ---


def test_comments_go_from_jpeg_to_png_and_back(tmp_path: Path):
    saved(tmp_path / "a.jpg", comment=b"at the sea", dpi=(300, 300))
    after = passed_on(tmp_path / "a.jpg", tmp_path / "b.png")
    assert (b"tEXt", b"Comment\0at the sea") in after.tags.chunks
    again = passed_on(tmp_path / "b.png", tmp_path / "c.jpg")
    assert (again.tags.comment, again.tags.dpi, again.notes) == (b"at the sea", (300, 300), ())


def test_iptc_stays_in_a_jpeg(tmp_path: Path):
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x05abcde\0"
    saved(tmp_path / "a.jpg", extra=b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc)
    assert passed_on(tmp_path / "a.jpg", tmp_path / "b.jpg").tags.app13 == (iptc,)
    file = fit_to(read_file(tmp_path / "a.jpg"), tmp_path / "c.webp")
    assert file.notes == ("IPTC left out, for which WEBP has no place",)


@pytest.mark.parametrize(
    ("target", "notes"),
    [
        ("b.bmp", ("colour profile and EXIF and XMP and comment left out, for which BMP has no place",)),
        ("b.tif", ("comment left out, for which TIFF has no place",)),
        ("b.jpg", ()),
    ],
)
def test_what_has_no_place_is_told(tmp_path: Path, target: str, notes: tuple[str, ...]):
    source = saved(tmp_path / "a.jpg", icc_profile=ICC, exif=b"Exif\0\0" + exif(), xmp=XMP, comment=b"hello")
    assert fit_to(read_file(source), tmp_path / target).notes == notes


def test_too_long_for_a_jpeg(tmp_path: Path):
    saved(tmp_path / "a.webp", xmp=bytes(70_000), exif=exif() + bytes(70_000))
    file = fit_to(read_file(tmp_path / "a.webp"), tmp_path / "b.jpg")
    assert file.notes == ("EXIF and XMP left out, for which JPEG has no place",)
    write_file(tmp_path / "b.jpg", file)


def test_strip_leaves_all_out(tmp_path: Path):
    source = saved(tmp_path / "a.jpg", icc_profile=ICC, exif=b"Exif\0\0" + exif(), xmp=XMP, comment=b"hello")
    after = passed_on(source, tmp_path / "b.png", Writing(strip=True))
    assert after.tags == replace(after.tags, icc=None, exif=None, xmp=None, comment=None, dpi=None, chunks=())


def test_a_grey_profile_is_not_for_colours(tmp_path: Path):
    grey = ICC[:16] + b"GRAY" + ICC[20:]
    Image.fromarray(PIXELS[:, :, 0]).save(tmp_path / "a.png", icc_profile=grey)
    assert passed_on(tmp_path / "a.png", tmp_path / "b.tif").tags.icc == grey
    file = fit_to(read_file(tmp_path / "a.png"), tmp_path / "b.webp")
    assert (file.tags.icc, file.notes) == (None, ("colour profile left out, which is one for grey",))


# --- what phones and cameras put behind the picture ---


def test_a_gain_map_and_further_pictures_are_told(tmp_path: Path):
    first, second = (Image.fromarray(picture(20, 30, 3, seed=seed)) for seed in (1, 2))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    file = read_file(tmp_path / "a.jpg")
    assert len(file.pictures) == 1
    assert file.notes == ("the further pictures that its camera put behind it (MPO) left out",)
    xmp = b'<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>'
    first.save(tmp_path / "b.jpg", "MPO", save_all=True, append_images=[second], xmp=xmp)
    file = read_file(tmp_path / "b.jpg")
    assert file.notes[0] == "its HDR gain map left out: the result is the picture without it"
    assert file.tags.xmp is None  # else programs look for what is not there


def test_many_values_that_are_the_same_bytes_take_no_memory(tmp_path: Path):
    """5,000 entries of 20 MB each, all at one place, in EXIF of a TIFF."""
    count, value = 5000, 20 * 2**20
    sub = 8 + 2 + 12 * 10 + 4
    entries = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 4, 1, 8), (259, 4, 1, 1), (262, 4, 1, 1), (273, 4, 1, sub)]
    entries += [(277, 4, 1, 1), (278, 4, 1, 1), (279, 4, 1, 1), (0x8769, 4, 1, sub)]
    content = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    content += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    content += struct.pack("<H", count)
    content += b"".join(struct.pack("<HHII", tag, 7, value, 1000) for tag in range(count)) + bytes(4) + bytes(value)
    (tmp_path / "a.tif").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF)
    file = read_file(tmp_path / "a.tif")
    write_file(tmp_path / "b.tif", fit_to(file, tmp_path / "b.tif"))
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_maxrss - before.ru_maxrss < 300_000  # kilobytes
    assert after.ru_utime - before.ru_utime < 2


def test_a_profile_for_cmyk_is_not_for_the_rgb_that_it_becomes(tmp_path: Path):
    cmyk = ICC[:16] + b"CMYK" + ICC[20:]
    Image.fromarray(PIXELS).convert("CMYK").save(tmp_path / "a.jpg", icc_profile=cmyk)
    file = fit_to(read_file(tmp_path / "a.jpg"), tmp_path / "b.png")
    assert (file.pictures[0].shape, file.tags.icc) == (PIXELS.shape, None)
    assert file.notes == ("colour profile left out, which is one for CMYK",)

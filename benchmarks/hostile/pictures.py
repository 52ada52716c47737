"""Pictures made to be nasty: headers that lie, bytes of one kind under the name of another, names, links, pipes."""

import io
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from case import Case, Place
from from_packages import SUFFIXES, write

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _PALETTE, _GREY_A, _RGBA = 0, 2, 3, 4, 6
_BOMBS = ((16, _RGB, 16, 1000), (8, _RGB, 16, 1000), (16, _GREY, 16, 1000), (16, _RGBA, 5000, 200), (1, _GREY,
    30000, 113),
          (16, _RGB, 13000, 1014), (8, _GREY, 13000, 169))  # fmt: skip
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_A: 2, _RGBA: 4}


def cases(seed: int) -> Iterator[Case]:
    yield from _png_rows()
    yield from _png_headers()
    yield from _png_chunks()
    for bits, color, side, millions in _BOMBS:
        name = f"{side} x {side}, {bits} bits, type {color}, inflates to {millions} MB"
        yield Case("image", "inflates", name, partial(_bomb, bits=bits, color=color, side=side, millions=millions))
    for suffix in SUFFIXES:
        for claimed in (
            "bmp",
            "dds",
            "eps",
            "gif",
            "icns",
            "ico",
            "jp2",
            "pcx",
            "pdf",
            "ppm",
            "psd",
            "sgi",
            "tga",
            "xbm",
        ):
            yield Case("image", "another kind's bytes", f"{claimed} under {suffix}",
                       partial(disguised, claimed=claimed, suffix=suffix, seed=seed))  # fmt: skip
    for name in _names():
        yield Case("image", "names", ascii(name), partial(_named, name=name))
    for what in ("pipe", "link to /dev/zero", "link to itself", "folder",
                 "socket", "link to nothing", "no permission", "empty"):  # fmt: skip
        yield Case("image", "no files", what, partial(_no_file, what=what))


def png(width: int, height: int, bits: int, color: int, data: bytes, *, interlace: int = 0, more: bytes = b"") -> bytes:
    """A PNG of `data` as it is before compression, whatever the header says."""
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlace)
    return _SIGNATURE + chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def rows(width: int, height: int, bits: int, color: int) -> bytes:
    """Rows of noise, each with the filter "none"."""
    length = (width * bits * _CHANNELS[color] + 7) // 8
    noise = np.random.default_rng(0).integers(0, 256, (height, length), np.uint8)
    return b"".join(b"\0" + row.tobytes() for row in noise)


def _png_rows() -> Iterator[Case]:
    """More and fewer rows than the header declares: what nobody wrote must not come out."""
    for color in (_GREY, _RGB, _GREY_A, _RGBA):
        for bits in (8, 16):
            for there in (0, 1, 7, 15, 17, 32):
                for interlace in (0, 1):
                    data = rows(16, there, bits, color)
                    name = f"{bits} bits, type {color}, {there} of 16 rows{', interlaced' * interlace}"
                    yield Case("image", "rows of a PNG", name, partial(
                        write, data=png(16, 16, bits, color, data, interlace=interlace), name="rows.png"))  # fmt: skip


def _png_headers() -> Iterator[Case]:
    for width, height in ((0, 0), (0, 16), (16, 0), (2**31 - 1, 1), (1, 2**31 - 1), (2**31, 2**31), (2**32 - 1,
        2**32 - 1),
                          (65536, 65536), (20000, 20000), (13000, 13000), (100_000_000, 1)):  # fmt: skip
        for bits, color in ((8, _RGB), (16, _RGB), (16, _RGBA), (1, _GREY), (16, _GREY)):
            data = png(width, height, bits, color, rows(16, 16, bits, color))
            name = f"{width} x {height}, {bits} bits, type {color}"
            yield Case("image", "sizes of a PNG", name, partial(write, data=data, name="sizes.png"))
    for bits in (0, 2, 3, 5, 16, 32, 255):
        for color in (1, _PALETTE, 5, 7, 255, _RGB):
            data = png(16, 16, bits, color, b"\0" * 2048)
            yield Case(
                "image", "depths of a PNG", f"{bits} bits, type {color}", partial(write, data=data, name="depths.png")
            )


def _png_chunks() -> Iterator[Case]:
    good = rows(16, 16, 16, _RGB)
    more = {
        "tRNS of 16 bits": chunk(b"tRNS", good[1:7]),
        "tRNS too short": chunk(b"tRNS", b"\0"),
        "a million tRNS": chunk(b"tRNS", b"\0" * 1_000_000),
        "gAMA 0": chunk(b"gAMA", b"\0\0\0\0"),
        "iCCP bomb": chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(50_000_000))),
        "zTXt bomb": chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(200_000_000))),
        "1,000 zTXt": chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(1_000_000), 9)) * 1000,
        "a second header": chunk(b"IHDR", struct.pack(">IIBBBBB", 9999, 9999, 8, 2, 0, 0, 0)),
        "a chunk of 2 GB": struct.pack(">I", 2**31 - 1) + b"tEXt" + b"x",
        "APNG of a billion frames": chunk(b"acTL", struct.pack(">II", 10**9, 0)),
        "an eXIf of garbage": chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff"),
    }
    for name, chunks in more.items():
        for bits in (8, 16):
            data = png(16, 16, bits, _RGB, rows(16, 16, bits, _RGB), more=chunks)
            yield Case("image", "chunks of a PNG", f"{name}, {bits} bits", partial(write, data=data, name="chunks.png"))
    for left in (8, 20, 33, 40, 60, 200, 700):
        data = png(16, 16, 16, _RGB, good)[:left]
        yield Case("image", "chunks of a PNG", f"cut after {left} bytes", partial(write, data=data, name="cut.png"))


def _bomb(place: Place, bits: int, color: int, side: int, millions: int) -> Path:
    """What is small on the disk and large in memory; compressed piece by piece."""
    packer, piece = zlib.compressobj(6), bytes(1_000_000)
    packed = b"".join(packer.compress(piece) for _ in range(millions)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, bits, color, 0, 0, 0))
    return write(place, _SIGNATURE + header + chunk(b"IDAT", packed) + chunk(b"IEND", b""), "bomb.png")


def disguised(place: Place, claimed: str, suffix: str, seed: int) -> Path:
    heads = {
        "dds": b"DDS " + struct.pack("<31I", 124, 4103, 64, 64, *[0] * 15, 32, 4, 0x31545844, *[0] * 9),
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\n(" + os.fsencode(place.executed)
        + b") (w) file closefile\n%%EOF\n",
        "pdf": b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n",
        "psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 30000, 30000, 8, 3),
        "ico": struct.pack("<HHHBBBBHHII", 0, 1, 65535, 0, 0, 0, 0, 1, 32, 2**31, 22),
        "icns": b"icns" + struct.pack(">I", 2**31) + b"ic10" + struct.pack(">I", 2**31 - 1),
        "jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64),
        "xbm": b"#define x_width 99999\n#define x_height 99999\nstatic char x_bits[] = {\n0x00 };\n",
    }  # fmt: skip
    target = place.inputs / f"{claimed}{suffix}"
    head = heads.get(claimed)
    target.write_bytes(_saved(claimed, seed) if head is None else head + np.random.default_rng(seed).bytes(4096))
    return target


def _saved(kind: str, seed: int) -> bytes:
    from PIL import Image

    pixels, file = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8), io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def _names() -> list[str]:
    long = [f"{'x' * (length - 4)}.png" for length in (200, 235, 242, 250, 255)]
    return [
        *long, "é" * 120 + ".png", "new\nline.png", "\x1b[2J\x1b]0;owned\x07.png", "\u202egnp.exe.png",
        "$(touch x).png",
        "; touch x #.png", "[bold]markup[bold].png", "{0.__class__}.png", "%s%n.png", "-rf.png", "--help.png", " .png",
        "a\tb.png", "byte\udcff.png", "..png", "quote'\".png", "<b>.png", "back\\slash.png", "a.PNG", "\x7f.png",
    ]  # fmt: skip


def _named(place: Place, name: str) -> Path:
    return write(place, png(16, 16, 8, _RGB, rows(16, 16, 8, _RGB)), name)


def _no_file(place: Place, what: str) -> Path:
    target = place.inputs / "stranger.png"
    links = {"link to /dev/zero": "/dev/zero", "link to itself": "stranger.png", "link to nothing": "nothing.png"}
    if what in links:
        target.symlink_to(links[what])
    elif what == "pipe":
        os.mkfifo(target)
    elif what == "folder":
        target.mkdir()
    elif what == "socket":
        os.mknod(target, stat.S_IFSOCK | 0o600)
    else:
        target.write_bytes(b"")
        target.chmod(0 if what == "no permission" else 0o600)
    return target

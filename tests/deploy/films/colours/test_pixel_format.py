"""Pixel formats: what FFmpeg's names say."""

import pytest

from dni_deploy.films.colours.pixel_format import pixel_format


@pytest.mark.parametrize(
    ("name", "kind", "depth", "chroma", "opacity", "planar"),
    [
        ("yuv420p", "yuv", 8, "4:2:0", False, "yuv444p"),
        ("yuvj422p", "yuv", 8, "4:2:2", False, "yuv444p"),
        ("yuv411p", "yuv", 8, "4:1:1", False, "yuv444p"),
        ("nv12", "yuv", 8, "4:2:0", False, "yuv444p"),
        ("p010le", "yuv", 10, "4:2:0", False, "yuv444p10le"),
        ("yuva444p12le", "yuv", 12, "4:4:4", True, "yuva444p12le"),
        ("gray", "grey", 8, "", False, "gray"),
        ("gray12le", "grey", 12, "", False, "gray12le"),
        ("ya8", "grey", 8, "", True, "gbrap"),
        ("monow", "grey", 1, "", False, "gray"),
        ("rgb24", "rgb", 8, "", False, "gbrp"),
        ("bgr0", "rgb", 8, "", False, "gbrp"),
        ("bgra", "rgb", 8, "", True, "gbrap"),
        ("pal8", "rgb", 8, "", False, "gbrp"),
        ("rgb48be", "rgb", 16, "", False, "gbrp16le"),
        ("gbrpf32le", "rgb", 32, "", False, "gbrpf32le"),
    ],
)
def test_a_name_says_what_is_stored(name: str, kind: str, depth: int, chroma: str, opacity: bool, planar: str) -> None:
    told = pixel_format(name)

    assert (told.kind, told.depth, told.chroma, told.opacity) == (kind, depth, chroma, opacity)
    assert told.planar == planar
    assert told.full == (kind != "yuv" or "yuvj" in name)

"""Films that are hard to read though players show them: put together, broken, or with keys that are none."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

from ffmpeg import ffmpeg
from films import film, session_folder

_PICTURES = "-f lavfi -i testsrc2=size=96x64:rate=25:duration=2"
_X264 = f"{_PICTURES} -c:v libx264 -threads 1 -pix_fmt yuv420p -sc_threshold 0"
_X265 = f"{_PICTURES} -c:v libx265 -pix_fmt yuv420p -x265-params log-level=error:pools=none:keyint=10:min-keyint=10"
_TS_PACKET = 188

_RECIPES = {
    # Keys at which only a stripe is renewed.
    "renewed": (".mkv", f"{_X264} -x264-params intra-refresh=1:keyint=10:bframes=0"),
    "renewed_ts": (".ts", f"{_X264} -x264-params intra-refresh=1:keyint=10:bframes=0"),
    # Leading pictures: made of what is before the key, and of the key alone.
    "leading_h265": (".mkv", f"{_X265}:open-gop=1:bframes=4"),
    "leading_h265_mp4": (".mp4", f"{_X265}:open-gop=1:bframes=4"),
    "leading_h265_ts": (".ts", f"{_X265}:open-gop=1:bframes=4"),
    "leading_h265_own": (".mp4", f"{_X265}:open-gop=0:radl=2:bframes=4"),
    "leading_mpeg2": (".ts", f"{_PICTURES} -c:v mpeg2video -g 8 -bf 2"),
    # The next key is decoded before the moment of the one before.
    "many_keys": (".mp4", f"{_X264} -g 3 -bf 2"),
    "pyramid": (".ts", f"{_X264} -g 24 -bf 8 -x264-params b-pyramid=normal:ref=6:b-adapt=0"),
    # Its clock, of 33 bits, begins anew in the middle.
    "wrapped": (".ts", f"{_X264} -g 10 -bf 2 -output_ts_offset 95441.5"),
    "flash": (".flv", f"{_X264} -g 10 -bf 2"),
    # Its moments are those of decoding.
    "h264_in_avi": (".avi", f"{_X264} -g 10 -bf 2"),
    "uncompressed": (".y4m", f"{_PICTURES} -pix_fmt yuv420p"),
    "theora": (".ogv", f"{_PICTURES} -c:v libtheora -g 8"),
    "mxf": (".mxf", f"{_PICTURES} -c:v mpeg2video -g 8 -bf 2"),
    "animated_png": (".apng", _PICTURES),
}
HARD = tuple(_RECIPES)


@cache
def hard_film(kind: str) -> Path:
    """A film of one of the kinds `HARD`, 50 frames of 96 x 64."""
    suffix, arguments = _RECIPES[kind]
    place = session_folder("hard") / f"{kind}{suffix}"
    ffmpeg(*arguments.split(), place)
    return place


def damaged(source: Path, seed: int, place: Path) -> Path:
    """A copy of `source` at `place`, where single bytes and runs of them are others; its head and its end are whole."""
    chance, content = random.Random(seed), bytearray(source.read_bytes())
    for _ in range(6):
        at = chance.randrange(len(content) // 4, len(content) * 9 // 10)
        for offset in range(chance.choice((1, 1, 60))):
            content[at + offset] ^= chance.randrange(1, 256)
    place.write_bytes(content)
    return place


def with_hole(kind: str, place: Path) -> Path:
    """A transport stream in whose middle six packets were not received."""
    content = bytearray(hard_film(kind).read_bytes())
    middle = len(content) // _TS_PACKET // 2 * _TS_PACKET
    del content[middle : middle + 6 * _TS_PACKET]
    place.write_bytes(content)
    return place


def joined(place: Path) -> Path:
    """A transport stream twice, one behind the other, with its times."""
    place.write_bytes(film("transport").read_bytes() * 2)
    return place


def of_two_sizes(place: Path) -> Path:
    """24 frames of 96 x 64 and 10 of 64 x 48, in one stream."""
    small = session_folder("small") / "small.h264"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.4", "-pix_fmt", "yuv420p", small)
    place.write_bytes(film("raw_h264").read_bytes() + small.read_bytes())
    return place

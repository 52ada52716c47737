"""How each kind of film is made: what follows `ffmpeg`, or a function that makes it of another film.

A word {kind} is the film of that kind. Most are 96 x 64 pixels and 24 frames at 25 a second with a keyframe every 8.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Recipe: TypeAlias = str | Callable[[Callable[[str], Path], Path], None]

BESIDE = {
    "words.srt": "1\n00:00:00,120 --> 00:00:00,480\nHello\n\n2\n00:00:00,560 --> 00:00:00,880\n<i>world</i>\n",
    "words.ass": (
        "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
        "Style: Default,Own,20\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
        "Dialogue: 0,0:00:00.12,0:00:00.48,Default,{\\i1}Hello\nDialogue: 0,0:00:00.56,0:00:00.88,Default,world\n"
    ),
    "chapters.txt": (
        ";FFMETADATA1\ntitle=A film\nartist=Nobody\ncomment=small\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=400\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=400\nEND=960\ntitle=Two\n"
    ),
    "own.ttf": "not much of a font",
}

_PICTURES = "-f lavfi -i testsrc2=size=96x64:rate=25:duration=0.96"
_SOUND = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=0.96"
_X264 = "-c:v libx264 -threads 1 -pix_fmt yuv420p -g 8 -bf 2"
_AS_IT_COMES = "-fps_mode passthrough -enc_time_base filter"
_X265 = "-c:v libx265 -pix_fmt yuv420p -tag:v hvc1 -x265-params log-level=error:pools=none:keyint=8:min-keyint=8"
_VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -threads 1 -g 8"
_FEW = "-frames:v 8"
_FFV1 = "-c:v ffv1 -level 3 -g 1"
_MASTERING = (
    "hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
)


def _pictures(encoder: str, filters: str = "null") -> str:
    return f"{_PICTURES} -vf {filters} {encoder}"


CODECS: dict[str, tuple[str, Recipe]] = {
    "h264": (".mp4", _pictures(_X264)),
    "h265": (".mp4", _pictures(_X265)),
    "vp9": (".webm", _pictures(_VP9)),
    "vp8": (".webm", _pictures("-c:v libvpx -deadline realtime -cpu-used 8 -g 8")),
    "av1": (".mp4", _pictures("-c:v libsvtav1 -preset 12 -g 8 -svtav1-params lp=1")),
    "ffv1": (".mkv", _pictures(f"{_FFV1} -pix_fmt yuv420p")),
    "prores": (".mov", _pictures("-c:v prores_ks -profile:v 2 -pix_fmt yuv422p10le")),
    "mpeg2": (".mpg", _pictures("-c:v mpeg2video -q:v 4 -g 8 -bf 2")),
    "mpeg4": (".avi", _pictures("-c:v mpeg4 -q:v 4 -g 8 -bf 2")),
    "mjpeg": (".avi", _pictures("-c:v mjpeg -q:v 4 -pix_fmt yuvj420p")),
    "gif": (".gif", _pictures("-c:v gif -r 25")),
}

PIXELS: dict[str, tuple[str, Recipe]] = {
    "h264_10bit": (".mp4", _pictures(f"{_X264} -pix_fmt yuv420p10le")),
    "h264_422": (".mp4", _pictures(f"{_X264} -pix_fmt yuv422p")),
    "h264_444": (".mp4", _pictures(f"{_X264} -pix_fmt yuv444p")),
    "h264_rgb": (".mkv", _pictures("-c:v libx264rgb -threads 1 -pix_fmt rgb24 -g 8 -qp 0")),
    "h264_full": (".mp4", _pictures(f"{_X264} -color_range pc", "scale=out_range=pc,format=yuv420p")),
    "h264_gray": (".mp4", _pictures(f"{_X264} -pix_fmt gray")),
    "h265_10bit": (".mp4", _pictures(f"{_X265} -pix_fmt yuv420p10le")),
    "h265_12bit": (".mkv", _pictures(f"{_X265} -pix_fmt yuv422p12le")),
    "vp9_10bit": (".webm", _pictures(f"{_VP9} -profile:v 2 -pix_fmt yuv420p10le")),
    "vp9_yuva": (".webm", _pictures(f"{_VP9} -pix_fmt yuva420p -auto-alt-ref 0", "format=yuva420p,fade=alpha=1:d=1")),
    "prores_yuva": (
        ".mov",
        _pictures(f"-c:v prores_ks -profile:v 4 -pix_fmt yuva444p10le {_FEW}", "format=yuva444p10le,fade=alpha=1:d=1"),
    ),
    "png_rgba": (".mov", _pictures(f"-c:v png -pix_fmt rgba {_FEW}", "format=rgba,fade=alpha=1:d=1")),
    "png_pal8": (".mov", _pictures(f"-c:v png {_FEW}", "format=pal8")),
    "raw_nv12": (".nut", _pictures(f"-c:v rawvideo -pix_fmt nv12 {_FEW}", "scale=64:32")),
    **{
        f"ffv1_{pixels}": (".mkv", _pictures(f"{_FFV1} -pix_fmt {pixels} {_FEW}", "scale=64:32"))
        for pixels in (
            *("yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv444p16le"),
            *("gray", "gray10le", "gray16le", "bgr0", "bgra", "gbrp10le", "gbrp16le", "yuva420p", "yuva444p10le"),
        )
    },
}

_MATRICES = {"601": ("smpte170m", "smpte170m"), "709": ("bt709", "bt709"), "2020": ("bt2020nc", "bt2020")}


def _marked(matrix: str, primaries: str, transfer: str, limits: str = "tv") -> str:
    return f"setparams=colorspace={matrix}:range={limits}:color_primaries={primaries}:color_trc={transfer}"


def _chart(matrix: str, limits: str, bits: int) -> tuple[str, Recipe]:
    """Bars and ramps in 4:4:4, lossless, converted from RGB by FFmpeg with the numbers that the stream is marked by."""
    name, primaries = _MATRICES[matrix]
    numbers = f"scale=out_color_matrix={name}:out_range={limits}:flags=accurate_rnd+full_chroma_int+full_chroma_inp"
    marks = _marked(name, primaries, "bt709", limits)
    pixels = "yuv444p" if bits == 8 else "yuv444p10le"
    filters = f"[0][1]vstack,format=gbrp,{numbers},format={pixels},{marks}"
    charts = "-f lavfi -i smptebars=size=96x32:rate=25 -f lavfi -i rgbtestsrc=size=96x32:rate=25"
    return ".mkv", f"{charts} -filter_complex {filters} -frames:v 2 {_FFV1}"


COLOURS: dict[str, tuple[str, Recipe]] = {
    **{
        f"chart_{matrix}_{limits}_{bits}": _chart(matrix, limits, bits)
        for matrix in _MATRICES
        for limits in ("tv", "pc")
        for bits in (8, 10)
    },
    "h264_601": (".mp4", _pictures(_X264, _marked("smpte170m", "smpte170m", "smpte170m"))),
    "h264_709": (".mp4", _pictures(_X264, _marked("bt709", "bt709", "bt709"))),
    "hdr10": (
        ".mp4",
        _pictures(f"{_X265}:{_MASTERING} -pix_fmt yuv420p10le", _marked("bt2020nc", "bt2020", "smpte2084")),
    ),
    "hdr10_mkv": (".mkv", f"-i {{hdr10}} {_X265} -pix_fmt yuv420p10le"),
    "hdr10_webm": (".webm", f"-i {{hdr10}} {_VP9} -profile:v 2 -pix_fmt yuv420p10le"),
    "hlg": (".mp4", _pictures(f"{_X265} -pix_fmt yuv420p10le", _marked("bt2020nc", "bt2020", "arib-std-b67"))),
}

TIMES: dict[str, tuple[str, Recipe]] = {
    "vfr": (".mp4", _pictures(f"{_X264} {_AS_IT_COMES}", "settb=1/12800,setpts=(N*N+7*N)/600/TB")),
    "vfr_mkv": (".mkv", _pictures(f"{_X264} {_AS_IT_COMES}", "settb=1/1000,setpts=(N*N+7*N)/600/TB")),
    "ntsc": (".mp4", _pictures(_X264, "setpts=N/(24000/1001)/TB,fps=24000/1001")),
    "late_start": (".mkv", f"{_PICTURES} {_SOUND} {_X264} -c:a libopus -output_ts_offset 3.7"),
    "transport": (".ts", f"{_PICTURES} {_SOUND} {_X264} -c:a aac"),
    "avi_h264": (".avi", f"{_PICTURES} {_SOUND} {_X264} -c:a libmp3lame"),
    "late_pictures": (".mkv", f"-itsoffset 2 {_PICTURES} {_SOUND} -map 0 -map 1 {_X264} -c:a aac"),
    "gap": (".mkv", _pictures(f"{_X264} {_AS_IT_COMES}", "settb=1/1000,setpts=N*40+5000*floor(N/9)")),
    "edit_list": (".mp4", "-ss 0.5 -i {aac} -c copy"),
    "fragmented": (".mp4", "-i {aac} -c copy -movflags frag_keyframe+empty_moov"),
    "open_gop": (".mkv", _pictures(f"{_X264} -x264-params open-gop=1:scenecut=0:b-adapt=0")),
    "open_gop_ts": (".ts", "-i {open_gop} -c copy -bsf:v h264_mp4toannexb,dump_extra=freq=keyframe"),
    "one_key": (".mp4", _pictures(f"{_X264} -g 999 -sc_threshold 0")),
    "one_frame": (".mp4", _pictures(f"{_X264} -frames:v 1")),
    "equal": (".mp4", _pictures(f"{_X264} -qp 0", "fps=5,fps=25")),
    "long": (".mp4", f"-f lavfi -i testsrc2=size=64x48:rate=5:duration=20 {_X264} -g 10"),
    "long_one_key": (".mkv", f"-f lavfi -i testsrc2=size=64x48:rate=2:duration=50 {_X264} -g 999"),
    "raw_h264": (".h264", _pictures(_X264)),
    "raw_h265": (".h265", _pictures(_X265)),
}

SHAPES: dict[str, tuple[str, Recipe]] = {
    **{f"rotated_{turn}": (".mp4", f"-display_rotation {turn} -i {{aac}} -c copy") for turn in (90, 180, 270)},
    "flipped": (".mp4", "-display_hflip -i {aac} -c copy"),
    "wide_pixels": (".mp4", _pictures(_X264, "setsar=16/11")),
    "wide_pixels_mkv": (".mkv", _pictures(_VP9, "setsar=16/11")),
    "odd": (".webm", _pictures(_VP9, "scale=95:63")),
    "odd_444": (".mp4", _pictures(f"{_X264} -pix_fmt yuv444p", "scale=95:63,setsar=1")),
}

INTERLACED: dict[str, tuple[str, Recipe]] = {
    "interlaced": (".mp4", _pictures(f"{_X264} -flags +ilme+ildct", "interlace")),
    "interlaced_mpeg2": (".mpg", _pictures("-c:v mpeg2video -q:v 4 -g 8 -flags +ilme+ildct", "tinterlace=5")),
    "interlaced_prores": (".mov", _pictures("-c:v prores_ks -profile:v 2 -flags +ildct", "tinterlace=4,setfield=tff")),
}

_TITLES = "-map_metadata 2 -map_chapters 2"
_FONT = "-attach own.ttf -metadata:s:t mimetype=application/x-truetype-font"
_SPOKEN = "-metadata:s:a:0 language=eng -metadata:s:a:0 title=English -metadata:s:a:1 language=deu"

STREAMS: dict[str, tuple[str, Recipe]] = {
    "aac": (".mp4", f"{_PICTURES} {_SOUND} {_X264} -c:a aac -b:a 32k"),
    "opus": (".webm", f"{_PICTURES} {_SOUND} {_VP9} -c:a libopus -b:a 32k"),
    "pcm": (".mov", f"{_PICTURES} {_SOUND} {_X264} -c:a pcm_s16le -ar 8000"),
    "flac": (".mkv", f"{_PICTURES} {_SOUND} {_X264} -c:a flac -ar 8000"),
    "two_languages": (
        ".mkv",
        f"{_PICTURES} {_SOUND} {_X264} -map 0 -map 1 -map 1 -c:a:0 aac -c:a:1 libopus {_SPOKEN} "
        "-disposition:a:0 0 -disposition:a:1 default+comment",
    ),
    "srt": (".mkv", f"{_PICTURES} -i words.srt {_X264} -c:s srt -metadata:s:s:0 language=eng -disposition:s:0 forced"),
    "ass": (
        ".mkv",
        f"{_PICTURES} -i words.ass {_X264} -c:s copy {_FONT}",
    ),
    "mov_text": (".mp4", f"{_PICTURES} -i words.srt {_X264} -c:s mov_text -metadata:s:s:0 language=eng"),
    "webvtt": (".webm", f"{_PICTURES} -i words.srt {_VP9} -c:s webvtt"),
    "chapters": (".mkv", f"{_PICTURES} {_SOUND} -i chapters.txt {_TITLES} {_X264} -c:a aac"),
    "chapters_mp4": (".mp4", f"{_PICTURES} {_SOUND} -i chapters.txt {_TITLES} {_X264} -c:a aac"),
    "cover": (
        ".mp4",
        f"{_PICTURES} {_SOUND} -i cover.png {_X264} -c:a aac -map 0 -map 1 -map 2 "
        "-c:v:1 copy -disposition:v:1 attached_pic",
    ),
    "cover_mkv": (".mkv", f"{_PICTURES} {_X264} -attach cover.png -metadata:s:t mimetype=image/png"),
    "timecode": (".mov", f"{_PICTURES} {_X264} -timecode 01:00:00:00"),
    "created": (".mp4", "-i {aac} -c copy -metadata creation_time=2020-02-02T02:02:02Z -metadata title=Old"),
    "two_videos": (".mkv", f"{_PICTURES} -f lavfi -i testsrc=size=32x32:duration=0.96 {_X264} -map 0 -map 1"),
    "everything": (
        ".mkv",
        f"{_PICTURES} {_SOUND} -i chapters.txt -i words.srt -i words.ass {_TITLES} {_X264} "
        f"-map 0 -map 1 -map 1 -map 3 -map 4 -c:a:0 aac -c:a:1 libopus {_SPOKEN} "
        f"-c:s:0 srt -c:s:1 copy -metadata:s:s:0 language=fra {_FONT}",
    ),
}


def _damaged(film: Callable[[str], Path], place: Path) -> None:
    """Bytes in its middle are others: inside of pictures, the index at the end is whole."""
    content = bytearray(film("h264").read_bytes())
    for at in range(len(content) // 3, len(content) // 2, 97):
        content[at] ^= 0x5A
    place.write_bytes(content)


def _begun_late(film: Callable[[str], Path], place: Path) -> None:
    """As recordings begin: in the middle of a group of pictures."""
    content = film("open_gop_ts").read_bytes()
    place.write_bytes(content[len(content) // 3 // 188 * 188 :])


def _cut_off(kind: str) -> Recipe:
    def make(film: Callable[[str], Path], place: Path) -> None:
        content = film(kind).read_bytes()
        place.write_bytes(content[: len(content) * 2 // 3])

    return make


BAD: dict[str, tuple[str, Recipe]] = {
    "damaged": (".mp4", _damaged),
    "cut_off": (".mkv", _cut_off("chapters")),
    "begun_late": (".ts", _begun_late),
    "no_index": (".mp4", _cut_off("aac")),
    "text": (".mp4", lambda film, place: place.write_text("This is no film.\n" * 99, encoding="utf-8") and None),
    "empty": (".mp4", lambda film, place: place.touch()),
    "only_sound": (".mp4", f"{_SOUND} -c:a aac"),
}

RECIPES: dict[str, tuple[str, Recipe]] = {
    **CODECS,
    **PIXELS,
    **COLOURS,
    **TIMES,
    **SHAPES,
    **INTERLACED,
    **STREAMS,
    **BAD,
}
"""By kind, with the suffix of its file."""

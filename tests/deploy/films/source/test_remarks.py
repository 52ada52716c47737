"""What users are told of a film."""

from pathlib import Path

import av
import ffmpeg
import pytest
from films import film
from PIL import Image, ImageCms

from dni_deploy.films.film import Part
from dni_deploy.films.source.frames import Frames
from dni_deploy.films.source.probe import look_at


@pytest.mark.parametrize(
    ("kind", "notes"),
    [
        ("everything", ()),
        ("cover", ()),
        ("cover_mkv", ()),
        ("late_start", ()),
        ("edit_list", ()),
        ("transport", ()),
        ("mpeg4", ()),
        ("cut_off", ("is cut off: its pictures end at 0:00:00.64 of 0:00:00.96",)),
        ("two_videos", ("has several streams of moving pictures: 0 is enhanced, not 1",)),
        ("begun_late", ("begins with a frame that cannot be decoded, left out",)),
        ("raw_h264", ("does not say when its frames are shown: taken to be 25 a second",)),
    ],
)
def test_what_is_odd_is_told(kind: str, notes: tuple[str, ...]) -> None:
    assert look_at(film(kind)).notes == notes


def test_a_colour_profile_and_the_mark_of_a_3d_film_are_told_to_be_left_out(tmp_path: Path) -> None:
    """The mark where it is among the pictures; as a tag it is carried over."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (96, 64)).save(tmp_path / "profile.jpg", icc_profile=profile)
    ffmpeg.ffmpeg("-i", tmp_path / "profile.jpg", "-c", "copy", tmp_path / "profile.mkv")
    pictures = ["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=0.4", "-pix_fmt", "yuv420p"]
    ffmpeg.ffmpeg(*pictures, "-x264-params", "frame-packing=3", tmp_path / "marked.mp4")
    ffmpeg.ffmpeg(*pictures, "-metadata:s:v:0", "stereo_mode=left_right", tmp_path / "tagged.mkv")

    assert look_at(tmp_path / "profile.mkv").notes == ("has a colour profile, which cannot be carried over",)
    assert look_at(tmp_path / "marked.mp4").notes == ("has the mark of a 3D film, which cannot be carried over",)
    assert look_at(tmp_path / "tagged.mkv").notes == ()


def test_captions_in_the_pictures_are_told_to_be_left_out(tmp_path: Path) -> None:
    """The message of H.264 that holds them, with one pair of characters, before the first slice."""
    captions = bytes([4, 14, 0xB5, 0, 0x31, *b"GA94", 3, 0xC1, 0xFF, 0xFC, 0x80, 0x80, 0xFF])
    message = b"\0\0\1\6" + captions + b"\x80"
    content = film("raw_h264").read_bytes()
    slice_at = content.index(b"\0\0\1\x65")
    path = tmp_path / "captions.h264"
    path.write_bytes(content[:slice_at] + message + content[slice_at:])

    assert look_at(path).notes[:1] == ("has captions within the pictures, which cannot be carried over",)


def test_a_frame_whose_moment_is_damaged_is_left_out_and_told_of(tmp_path: Path) -> None:
    path = tmp_path / "far.mkv"
    with av.open(str(film("aac"))) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(packet for packet in source.demux(video=0) if packet.size):
            assert packet.pts is not None
            packet.pts += 12800 * 1000 if number == 3 else 0
            packet.stream = stream
            target.mux(packet)

    looked_at = look_at(path)

    whole = [shown.second for shown in ffmpeg.frames(film("aac"))]
    assert looked_at.notes[-1] == "holds a frame whose moment cannot be, or is another's, left out"
    assert len(looked_at.index.pts) == 23
    assert {int(pts) * looked_at.video.time_base for pts in looked_at.index.pts} < {*whole}
    with Frames(looked_at) as frames:
        part = Part(0, int(looked_at.index.pts[0]), int(looked_at.index.pts[-1]) + 1)
        assert [frame.pts for frame in frames.read(part)] == looked_at.index.pts.tolist()

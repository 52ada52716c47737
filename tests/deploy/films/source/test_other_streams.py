"""What a film holds beside its pictures."""

from films import film

from dni_deploy.films.source.other_streams import OtherStream, other_streams


def test_all_that_is_not_enhanced_is_listed() -> None:
    assert other_streams(film("everything")) == [
        OtherStream(1, "audio", "aac", "eng", "English"),
        OtherStream(2, "audio", "opus", "deu"),
        OtherStream(3, "subtitle", "subrip", "fra"),
        OtherStream(4, "subtitle", "ass"),
        OtherStream(5, "attachment", "application/x-truetype-font", title="own.ttf"),
    ]
    assert other_streams(film("cover")) == [OtherStream(1, "audio", "aac", "und"), OtherStream(2, "cover", "png")]
    assert other_streams(film("cover_mkv")) == [OtherStream(1, "cover", "png")]
    assert other_streams(film("timecode")) == [OtherStream(1, "data", "", "eng")]
    assert other_streams(film("two_videos")) == [OtherStream(1, "video", "h264")]
    assert other_streams(film("h264")) == []

"""What can be refused before the model is loaded is."""

from pathlib import Path
from typing import Any

import pytest
from films import film

from dni_deploy.films.making.checks import check
from dni_deploy.films.making.job import FilmJob
from dni_runtime import DniError


@pytest.mark.parametrize(
    ("kind", "suffix", "options", "says"),
    [
        ("h264", ".mp4", {"crf": 60.0}, "--crf has to be from 0 to 51 for h264, got 60"),
        ("h264", ".webm", {"codec": "h264"}, "cannot hold h264: choose a name that ends in .mkv"),
        ("h264", ".mp4", {"pixel_format": "nv12"}, "h264 has no pixel format 'nv12'"),
        ("png_rgba", ".mp4", {}, "which has no opacity"),
        ("srt", ".mp4", {}, "cannot hold all that .* has beside its pictures"),
    ],
)
def test_what_the_file_cannot_be_is_told_by_the_film_alone(
    kind: str, suffix: str, options: dict[str, Any], says: str, same: Path, tmp_path: Path
):
    with pytest.raises(DniError, match=says):
        check(FilmJob(model=same, film=film(kind), output=tmp_path / f"out{suffix}", **options))


def test_odd_sizes_are_no_matter_before_the_models_factor_is_known(same: Path, tmp_path: Path):
    job = FilmJob(model=same, film=film("odd"), output=tmp_path / "out.mp4", pixel_format="yuv420p", output_scale=2)
    assert check(job).parts

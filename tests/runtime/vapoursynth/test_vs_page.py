"""The scripts of VapourSynth's page, one after the other in one process there, every frame of every output."""

from pathlib import Path

from documents import ROOT, read_blocks
from ffmpeg import ffmpeg
from in_vapoursynth import in_vapoursynth

PAGE = ROOT / "docs" / "how-to" / "vapoursynth.md"
FRAMES = 12
SHOW = f"""
for output in vs.get_outputs().values():
    assert len(list(output.clip.frames())) >= {FRAMES}
assert len(list(clean.frames())) == {FRAMES}
"""


def test_the_scripts_of_the_page(denoiser: Path, tmp_path: Path):
    for file in (denoiser, *denoiser.parent.glob("*.safetensors")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    pictures = f"testsrc2=size=64x48:rate=10:duration={FRAMES / 10}"
    ffmpeg("-f", "lavfi", "-i", pictures, "-pix_fmt", "yuv420p", tmp_path / "film.mp4")
    blocks = [block.text + SHOW for block in read_blocks(PAGE) if block.language == "python"]
    assert len(blocks) >= 5
    (tmp_path / "page.py").write_text("\n".join(blocks))
    result = in_vapoursynth("python", "-W", "error", "page.py", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path))
    assert result.code == 0, result.err

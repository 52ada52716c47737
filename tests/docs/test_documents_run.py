"""Every command of the documentation does what the page says, but for those of which it says why they are not run.

A page is one test: its blocks run in order, in a folder of its own.
"""

import shutil
from pathlib import Path

import exporting  # noqa: F401  (makes exports faster)
import pytest
from documents import PAGES, ROOT, read_blocks
from page_reader import Reader
from photographs import noisy_crop, save_image
from triton_cluster import free_addresses

from dni_deploy.demo import PHOTOGRAPH_NOISY

START = ROOT / "docs" / "how-to" / "index.md"
"""The page that makes the files which the others begin with."""
RUNNING = [page for page in PAGES if page != START and any(block.runs for block in read_blocks(page))]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def follow(page: Path, **ports: str) -> None:
    with Reader(ports) as reader:
        for block in read_blocks(page):
            if block.runs:
                try:
                    reader.follow(block)
                except BaseException as error:
                    error.add_note(f"in {block}")
                    raise


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has who begins, but a piece of the photograph: what it looks like is others' to test."""
    folder = tmp_path_factory.mktemp("started")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        follow(START)
    save_image(folder / "photo.png", noisy_crop(72, 80))  # 64 pixels tell how noisy they are
    return folder


@pytest.mark.parametrize("page", RUNNING, ids=name)
def test_a_page_does_what_it_says(page: Path, started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = shutil.copytree(started, tmp_path / "page")
    if page.parent == ROOT:
        prepare_clone(folder)
    if (npm := ROOT / ".npm" / "node_modules").is_dir():
        (folder / "node_modules").symlink_to(npm)
    monkeypatch.chdir(folder)
    http, web = free_addresses(2)
    follow(page, **{"8000": str(http.port), "8080": str(web.port)})


def prepare_clone(folder: Path) -> None:
    """What pages at the top of the repository take for granted: a clone, after `make demo`."""
    for made in ("demo-output/denoise.onnx",):
        (folder / made).parent.mkdir()
        shutil.copy(folder / "denoise.onnx", folder / made)
    save_image(folder / "dni_deploy" / "demo" / PHOTOGRAPH_NOISY.name, noisy_crop())
    for file in ("weak.safetensors", "strong.safetensors"):
        shutil.copy(folder / file, folder / "dni_deploy" / "demo")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "activate").touch()

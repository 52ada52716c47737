"""Only regular files are opened, nothing else is waited for or read, and the reason ends a sentence."""

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dni_runtime.files.regular_file import open_file, why_no_file


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with one of each kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").mkdir()
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "zero").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link to a pipe").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")  # relative, because such a path may have 107 bytes only
        yield tmp_path


@pytest.mark.parametrize("name", ["file", "link"])
def test_a_file_is_opened(there: Path, name: str):
    assert why_no_file(there / name) is None
    with open_file(there / name) as file:
        assert file.read() == b"content"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("folder", "is a folder"),
        ("pipe", "is a named pipe"),
        ("link to a pipe", "is a named pipe"),
        ("socket", "is a socket"),
        ("zero", "is a device"),
        ("a", "is a link that leads back to itself"),
        ("dangling", "is a link to what does not exist"),
        ("none", "does not exist"),
        ("file/below", "does not exist"),
        ("n" * 256, "has a name that is too long"),
        ("zero\0byte", "cannot be read: "),
    ],
)
def test_nothing_else_is(there: Path, name: str, why: str):
    said = why_no_file(there / name)
    assert said is not None and said.startswith(why)
    with pytest.raises(OSError) as caught:
        open_file(there / name)
    assert caught.value.strerror == said


def test_what_a_file_that_is_not_there_raises_is_known_by_its_kind(there: Path):
    with pytest.raises(FileNotFoundError):
        open_file(there / "none")


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(there: Path, monkeypatch: pytest.MonkeyPatch):
    def replaced(path: Path, flags: int, mode: int = 0o777) -> int:
        os.replace(there / "pipe", there / "file")
        return opened(path, flags, mode)

    opened = os.open
    monkeypatch.setattr(os, "open", replaced)
    said = []

    def attempt() -> None:
        try:
            open_file(there / "file")
        except OSError as error:
            said.append(error.strerror)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(5)
    assert said == ["is a named pipe"]


def test_a_file_without_rights():
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        path = Path(folder, "file")
        path.touch(0)
        if os.geteuid() == 0:  # who may read everything
            os.seteuid(65534)
            stack.callback(os.seteuid, 0)
        with pytest.raises(PermissionError) as caught:
            open_file(path)
    assert caught.value.strerror == "cannot be read: Permission denied"

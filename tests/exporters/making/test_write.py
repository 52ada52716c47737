"""Files appear whole or not at all, whatever ends the writing."""

import errno
import os
from pathlib import Path

import pytest

from dni_exporters.making.write import publish
from dni_runtime import OutputError
from dni_runtime.files.unfinished import staging


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_staging_is_hidden_and_gone_afterwards(tmp_path: Path):
    with staging(tmp_path / "a" / "b") as folder:
        assert folder.parent == tmp_path / "a" / "b"  # on the same file system: moving is atomic
        assert folder.name.startswith(".")
        (folder / "model.onnx").write_text("half")
        (folder / "more").mkdir()
        (folder / "model.onnx").rename(tmp_path / "a" / "b" / "model.onnx")
    assert names(tmp_path / "a" / "b") == ["model.onnx"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_staging_is_gone_after_any_error_with_the_folders_made_for_it(tmp_path: Path, error: BaseException):
    with pytest.raises(type(error)), staging(tmp_path / "a" / "b") as folder:
        (folder / "model.onnx").write_text("half")
        raise error
    assert names(tmp_path) == []


def test_a_folder_that_was_there_stays(tmp_path: Path):
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError), staging(tmp_path / "a"):
        raise ValueError
    assert names(tmp_path) == ["a"]


def test_two_stagings_do_not_meet(tmp_path: Path):
    with staging(tmp_path) as one, staging(tmp_path) as other:
        assert one != other


def test_what_cannot_be_written_is_an_output_error(tmp_path: Path):
    with (
        pytest.raises(OutputError, match=r"cannot be written to: No space left on device; nothing was written\."),
        staging(tmp_path),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    (tmp_path / "file").write_text("no folder")
    with (
        pytest.raises(OutputError, match=r"cannot be written to: .*choose another output"),
        staging(tmp_path / "file"),
    ):
        pass


def staged(folder: Path, *, external: bool) -> Path:
    folder.mkdir()
    (folder / "model.onnx").write_text("new model")
    if external:
        (folder / "model.onnx.data").write_text("new weights")
    return folder / "model.onnx"


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("old_external", [None, False, True])
def test_publishing_leaves_only_what_belongs_together(tmp_path: Path, external: bool, old_external: bool | None):
    output = tmp_path / "model.onnx"
    if old_external is not None:
        output.write_text("old model")
    if old_external:
        (tmp_path / "model.onnx.data").write_text("old weights")
    publish(staged(tmp_path / ".staged", external=external), output)
    (tmp_path / ".staged").rmdir()
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"model.onnx": "new model"} | ({"model.onnx.data": "new weights"} if external else {})


def test_a_model_is_never_seen_beside_the_weights_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    output = tmp_path / "model.onnx"
    output.write_text("old model")
    (tmp_path / "model.onnx.data").write_text("old weights")
    seen = []
    for name in ("replace", "unlink", "rename"):
        genuine = getattr(os, name)

        def watched(*args: object, _genuine=genuine, **options: object) -> None:
            _genuine(*args, **options)
            texts = [p.read_text() for p in (output, tmp_path / "model.onnx.data") if p.exists()]
            seen.append({text.split()[0] for text in texts if output.exists()})

        monkeypatch.setattr(os, name, watched)
    publish(staged(tmp_path / ".staged", external=True), output)
    assert len(seen) >= 3
    assert {"old", "new"} not in seen

"""Where results go: names of models, and what is not replaced."""

from pathlib import Path

import pytest

from dni_exporters.outputs import model_paths, refuse_existing
from dni_runtime import ExportError, OutputError


def test_one_model_has_the_name_that_was_given(tmp_path: Path):
    assert model_paths(tmp_path / "m.onnx", []) == model_paths(tmp_path / "m.onnx", [(0.5,)]) == [tmp_path / "m.onnx"]


def test_models_of_several_alphas_are_named_so_that_they_sort(tmp_path: Path):
    paths = model_paths(tmp_path / "models", [(0.0,), (0.25,), (1.0,)])
    assert [path.name for path in paths] == ["alpha-0.00.onnx", "alpha-0.25.onnx", "alpha-1.00.onnx"]
    assert {path.parent for path in paths} == {tmp_path / "models"}
    (several,) = model_paths(tmp_path / "models", [(0.2, 0.5)])
    assert several.name == "alpha-0.2_0.5.onnx"


def test_a_folder_may_be_called_like_a_model(tmp_path: Path):
    (tmp_path / "m.onnx").mkdir()
    assert model_paths(tmp_path / "m.onnx", [(0.5,)]) == [tmp_path / "m.onnx" / "alpha-0.5.onnx"]
    with pytest.raises(ExportError, match=r"2 alphas make as many files, .*n\.onnx names one; give a folder"):
        model_paths(tmp_path / "n.onnx", [(0.0,), (1.0,)])


def test_existing_files_are_refused_by_name(tmp_path: Path):
    paths = [tmp_path / name for name in ("a.onnx", "b.onnx", "c.onnx")]
    refuse_existing(paths, force=False)
    paths[1].write_text("")
    with pytest.raises(OutputError, match=r"b\.onnx exists already and is kept; replace it with --force \(force=T"):
        refuse_existing(paths, force=False)
    paths[2].write_text("")
    with pytest.raises(OutputError, match=r"b\.onnx and 1 more exist"):
        refuse_existing(paths, force=False)
    refuse_existing(paths, force=True)


def test_weights_beside_an_output_are_as_precious(tmp_path: Path):
    (tmp_path / "a.onnx.data").write_text("precious")
    with pytest.raises(OutputError, match=r"a\.onnx\.data exists already and is kept"):
        refuse_existing([tmp_path / "a.onnx"], force=False)


def test_a_name_that_no_file_can_have(tmp_path: Path):
    with pytest.raises(OutputError, match=r"a\.onnx cannot be written: File name too long; choose another output"):
        refuse_existing([tmp_path / f"{260 * 'a'}.onnx"], force=False)


@pytest.mark.parametrize("force", [False, True])
def test_folders_are_refused_even_with_force(tmp_path: Path, force: bool):
    with pytest.raises(OutputError):
        refuse_existing([tmp_path], force=force)

from pathlib import Path

import numpy as np
import pytest
from onnx_models import baked, conv_stack, picture, save

from dni_deploy.image_files.read_write import read_image, write_image
from dni_deploy.photographs.enhance_files import enhance_files
from dni_runtime import AlphaError, InputError, OutputError, load


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with load(save(conv_stack(), tmp_path_factory.mktemp("models") / "model.onnx"), "cpu") as model:
        yield model


@pytest.fixture
def photos(tmp_path):
    """A folder of three images, a text file, a hidden file and a subfolder."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for index, name in enumerate(["a.png", "b.JPG", "c.webp", "more/d.png", ".hidden.png"]):
        write_image(folder / name, picture(12, 16, 3, seed=index))
    (folder / "notes.txt").write_text("no image")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_paths_may_be_text(model, photos, tmp_path):
    image = picture(12, 16, 3)
    write_image(str(photos / "text.png"), image)
    (result,) = enhance_files(model, [str(photos / "text.png")], str(tmp_path / "out.png"), [0.3])
    assert (result.output, result.error) == (tmp_path / "out.png", None)
    np.testing.assert_array_equal(read_image(str(result.output)), model.enhance(image, 0.3))


def test_one_file_at_one_alpha(model, photos, tmp_path):
    (result,) = enhance_files(model, [photos / "a.png"], tmp_path / "out.png", [0.3])
    assert (result.input, result.output) == (photos / "a.png", tmp_path / "out.png")
    assert (result.alpha, result.error) == ((0.3,), None)
    assert result.seconds > 0
    np.testing.assert_array_equal(read_image(result.output), model.enhance(read_image(result.input), 0.3))


def test_several_alphas_name_the_results(model, photos, tmp_path):
    results = enhance_files(model, [photos / "a.png"], tmp_path / "out", [0, 0.25, 0.7, 1.0])
    assert [result.output.name for result in results] == [
        "a_alpha0.00.png",
        "a_alpha0.25.png",
        "a_alpha0.70.png",
        "a_alpha1.00.png",
    ]
    assert names(tmp_path / "out") == [result.output.name for result in results]


def test_alphas_that_differ_late_do_not_collide(model, photos, tmp_path):
    results = enhance_files(model, [photos / "a.png"], tmp_path / "out", [0.5, 0.5001, 1e-7])
    assert len({result.output for result in results}) == 3
    results = enhance_files(model, [photos / "a.png"], tmp_path / "out2", [0.5, 0.5001])
    assert [result.output.name for result in results] == ["a_alpha0.5000.png", "a_alpha0.5001.png"]


def test_a_folder_keeps_its_names(model, photos, tmp_path):
    results = enhance_files(model, [photos], tmp_path / "out" / "deep", [0.5])
    assert [result.input.name for result in results] == ["a.png", "b.JPG", "c.webp"]
    assert names(tmp_path / "out" / "deep") == ["a.png", "b.JPG", "c.webp"]


def test_a_file_given_twice_runs_once(model, photos, tmp_path):
    results = enhance_files(model, [photos / "a.png", photos], tmp_path / "out", [0.5])
    assert [result.input.name for result in results] == ["a.png", "b.JPG", "c.webp"]


def test_baked_models_need_no_alpha(photos, tmp_path):
    with load(save(baked(0.3), tmp_path / "baked.onnx"), "cpu") as model:
        (result,) = enhance_files(model, [photos / "a.png"], tmp_path / "out.png", [])
    assert result.alpha == (0.3,)


def test_kinds_that_are_not_written_become_png(model, photos, tmp_path):
    (photos / "c.webp").rename(tmp_path / "old.jfif")
    (result,) = enhance_files(model, [tmp_path / "old.jfif"], tmp_path / "out", [0.3])
    assert result.output == tmp_path / "out" / "old.png"
    assert result.error is None


def test_a_failing_image_does_not_stop_the_others(model, photos, tmp_path):
    (photos / "b.JPG").write_bytes(b"not a photograph")
    results = enhance_files(model, [photos], tmp_path / "out", [0.2, 0.8])
    failed = [result for result in results if result.error]
    assert [result.input.name for result in failed] == ["b.JPG", "b.JPG"]
    assert all("is not an image" in (result.error or "") for result in failed)
    assert len(names(tmp_path / "out")) == 4


def test_progress_goes_up_to_the_number_of_results(model, photos, tmp_path):
    calls = []
    enhance_files(model, [photos], tmp_path / "out", [0.2, 0.8], progress=lambda *args: calls.append(args))
    done = [call[0] for call in calls]
    assert done == sorted(done)
    assert done[-1] == 6
    assert {call[1] for call in calls} == {6}
    assert [path.name for path in dict.fromkeys(call[2] for call in calls)] == ["a.png", "b.JPG", "c.webp"]


def test_tile_is_passed_on(model, photos, tmp_path):
    with pytest.raises(AssertionError, match="too small"):
        (result,) = enhance_files(model, [photos / "a.png"], tmp_path / "out.png", [0.3], tile=3)
        assert result.error is None


# --- refused before anything runs ---


def test_existing_results_are_kept(model, photos, tmp_path):
    enhance_files(model, [photos], tmp_path / "out", [0.5])
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    (tmp_path / "out" / "a.png").unlink()
    with pytest.raises(OutputError, match=r"b\.JPG and 1 more results exist already"):
        enhance_files(model, [photos], tmp_path / "out", [0.1])
    assert names(tmp_path / "out") == ["b.JPG", "c.webp"]
    assert all(path.read_bytes() == before[path] for path in (tmp_path / "out").iterdir())
    enhance_files(model, [photos], tmp_path / "out", [0.1], overwrite=True)
    assert all(path.read_bytes() != before[path] for path in (tmp_path / "out").iterdir())


def test_one_existing_result(model, photos, tmp_path):
    enhance_files(model, [photos / "a.png"], tmp_path / "out.png", [0.5])
    with pytest.raises(OutputError, match=r"out\.png exists already; choose another output"):
        enhance_files(model, [photos / "a.png"], tmp_path / "out.png", [0.5])


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_input_is_never_overwritten(model, photos, overwrite):
    with pytest.raises(OutputError, match=r"a\.png is an input and would be overwritten"):
        enhance_files(model, [photos], photos, [0.5], overwrite=overwrite)


def test_results_of_one_name(model, photos, tmp_path):
    write_image(tmp_path / "A.png", picture(8, 8, 3))
    with pytest.raises(OutputError, match=r"the results of .*a\.png and .*A\.png would both be"):
        enhance_files(model, [photos, tmp_path / "A.png"], tmp_path / "out", [0.5])


def test_one_file_for_several_results(model, photos, tmp_path):
    with pytest.raises(OutputError, match=r"out\.png names one image, but there are 3 results; give a folder"):
        enhance_files(model, [photos], tmp_path / "out.png", [0.5])
    with pytest.raises(OutputError, match="there are 2 results"):
        enhance_files(model, [photos / "a.png"], tmp_path / "out.png", [0.5, 0.6])


@pytest.mark.parametrize(
    ("alphas", "message"),
    [([], "needs alpha"), ([2], "out of range"), ([0.5, 0.5], "alpha 0.5 was given more")],
)
def test_unfit_alphas(model, photos, tmp_path, alphas, message):
    with pytest.raises((AlphaError, InputError), match=message):
        enhance_files(model, [photos], tmp_path / "out", alphas)
    assert not (tmp_path / "out").exists()


def test_unfit_inputs(model, photos, tmp_path):
    (tmp_path / "empty").mkdir()
    for inputs, message in [
        ([photos / "none.png"], r"none\.png does not exist"),
        ([tmp_path / "empty"], "empty holds no image"),
        ([], "no image was given"),
    ]:
        with pytest.raises(InputError, match=message):
            enhance_files(model, inputs, tmp_path / "out", [0.5])


def test_output_that_is_a_file(model, photos, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match=r"the folder .* cannot be made"):
        enhance_files(model, [photos], tmp_path / "out", [0.5])

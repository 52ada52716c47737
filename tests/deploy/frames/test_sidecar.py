"""Tables of alphas as scripts, spreadsheets and people write them."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from onnx_models import METADATA, picture

from dni_deploy.frames.alpha_table import alpha_columns
from dni_deploy.frames.sidecar import read_sidecar
from dni_deploy.image_files.read_write import write_image
from dni_runtime import AlphaError, Endpoint, InputError, Metadata, check_alpha
from dni_runtime.alpha import Knob

NAMES = ("a.png", "b, c.png", "ü.png")
GOOD = 'file,alpha\na.png,0\n"b, c.png",0.25\nü.png,1\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for name in NAMES:
        write_image(folder / name, picture(4, 4, 3))
    return folder


def read(folder: Path, content: str | bytes, count: int = 1) -> list[tuple[float, ...] | None]:
    path = folder.parent / "alphas.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    check = partial(check_alpha, alpha_range=(0.0, 1.0), count=count)
    columns = alpha_columns(Metadata(endpoints=(Endpoint("", ""),) * (count + 1)))
    return read_sidecar(path, folder, [folder / name for name in NAMES], check, columns)


@pytest.mark.parametrize("content", [
    GOOD,
    GOOD.replace("\n", "\r\n"),
    GOOD.replace("\n", "\r"),
    GOOD.rstrip(),
    "\ufeff" + GOOD,
    GOOD.replace("\n", "\n\n"),
    "\n,\n" + GOOD + ",\n",
    GOOD.replace("file,alpha", " File , ALPHA "),
    GOOD.replace("0.25", "2.5e-1").replace("a.png", "./a.png"),
    "note,alpha,file\nx,1,ü.png\n,0,a.png\n\"two\nlines\",0.25,\"b, c.png\"\n",
    "file;alpha\na.png;0\nb, c.png;0,25\nü.png;1,0\n",
    "file\talpha\na.png\t0\nb, c.png\t0,25\nü.png\t1\n",
])  # fmt: skip
def test_the_same_table_in_many_hands(folder: Path, content: str):
    assert read(folder, content) == [(0.0,), (0.25,), (1.0,)]


def test_three_endpoints_take_two_columns(folder: Path):
    table = 'file,alpha_2,alpha_1\na.png,0.1,0.2\n"b, c.png",0,0\nü.png,0,1\n'
    assert read(folder, table, 2) == [(0.2, 0.1), (0.0, 0.0), (1.0, 0.0)]


def test_knobs_have_columns_of_their_names(folder: Path):
    columns = alpha_columns(replace(METADATA, alpha_knobs=(Knob("Late", ("x",)),)))
    assert columns == ("alpha", "alpha_Late")
    check = partial(check_alpha, alpha_range=(0.0, 1.0), count=2, knobs=("alpha", "Late"))
    path = folder.parent / "alphas.csv"
    path.write_text("file,Alpha_late,alpha\na.png,1,0.5\n")
    assert read_sidecar(path, folder, [folder / "a.png"], check, columns) == [(0.5, 1.0)]
    path.write_text("file,alpha\na.png,1\n")
    with pytest.raises(InputError, match="expected file, alpha, alpha_Late once each"):
        read_sidecar(path, folder, [folder / "a.png"], check, columns)
    path.write_text("file,alpha,alpha_late\na.png,1,auto\n")
    with pytest.raises(InputError, match=r"the alpha of a\.png is 'auto'; expected a number such as 0\.3$"):
        read_sidecar(path, folder, [folder / "a.png"], check, columns)


COLUMNS = "expected file, alpha once each for this model, and no other alpha (the first line holds the names)"


@pytest.mark.parametrize(("content", "message"), [
    ("", r"alphas\.csv is empty; expected a first line such as file,alpha"),
    ("\n \n", "is empty"),
    ("a.png,0.5\n", f"line 1 names the columns 'a.png', '0.5'; {COLUMNS}"),
    ("file\na.png\n", f"line 1 names the columns 'file'; {COLUMNS}"),
    ("\nfile,strength\n", f"line 2 names the columns 'file', 'strength'; {COLUMNS}"),
    ("file,alpha,alpha\n", COLUMNS),
    ("file,alpha,alpha_2\n", COLUMNS),
    ("file,alpha_1\n", COLUMNS),
    ("file,alpha\na.png\n", "line 2 has 1 cell\\(s\\), the first line names 2 columns, separated by commas$"),
    ("file,alpha\na.png,0,5\n", "line 2 has 3 cell\\(s\\), .* numbers with a decimal comma need another separator"),
    ("file,alpha\n,0.5\n", "line 2 names no file"),
    ("file,alpha\na.png,\n", "line 2: the alpha of a.png is ''; expected a number such as 0.3"),
    ("file,alpha\na.png,half\n", "the alpha of a.png is 'half'"),
    ("file;alpha\na.png;0,2,5\n", "the alpha of a.png is '0,2,5'"),
    (GOOD + "d.png,0.5\n", "line 5: 'd.png' does not exist in .*frames; file is relative to that folder"),
    (GOOD + "notes.txt,0.5\n", "line 5: 'notes.txt' is not an image of .*frames"),
    (GOOD + "./a.png,0.5\n", r"line 5: '\./a.png' has a row already, line 2; keep one of the two"),
    ("file,alpha\n../a.png,0.5\n", "leads out of the folder"),
    ("file,alpha\n/frames/a.png,0.5\n", "leads out of the folder"),
    ("file,alpha\na.png,0.5\n", r"has no row for 2 of the 3 images in .*frames \(b, c.png, ü.png\); add rows, or move"),
    ('file,alpha\n"a.png,0.5\n', "line 2 is not CSV"),
    (GOOD.encode("latin-1"), "is not UTF-8 text; save it as CSV UTF-8"),
    (GOOD.encode("utf-16"), "is not UTF-8 text"),
])  # fmt: skip
def test_what_does_not_fit_is_named_with_its_line(folder: Path, content: str | bytes, message: str):
    (folder / "notes.txt").touch()
    with pytest.raises(InputError, match=message.replace("(the", r"\(the").replace("names)", r"names\)")) as error:
        read(folder, content)
    assert str(error.value).startswith(str(folder.parent / "alphas.csv"))


@pytest.mark.parametrize("alpha", ["nan", "inf", "-0.5", "1.5", "1e9"])
def test_alphas_out_of_range(folder: Path, alpha: str):
    with pytest.raises(AlphaError, match=r"alphas\.csv, line 4: alpha .* is out of range; expected a finite number in"):
        read(folder, GOOD.replace("ü.png,1", f"ü.png,{alpha}"))


def test_alphas_whose_sum_is_out_of_range(folder: Path):
    with pytest.raises(AlphaError, match=r"line 2: alpha 0\.6,0\.6 is out of range"):
        read(folder, "file,alpha_1,alpha_2\na.png,0.6,0.6\n", 2)


def test_a_model_of_three_endpoints_names_its_columns(folder: Path):
    with pytest.raises(InputError, match="expected file, alpha_1, alpha_2 once each"):
        read(folder, GOOD, 2)


def test_a_table_that_is_not_there(tmp_path: Path):
    with pytest.raises(InputError, match=r"none\.csv does not exist; expected a CSV file"):
        read_sidecar(tmp_path / "none.csv", tmp_path, [], lambda alpha: alpha)

"""Whatever a stranger called files and tensors: a terminal only shows it, one message is one line, JSON has it."""

import ast
import json
import os
import pty
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from commands import names, results_in
from onnx_models import METADATA, conv_stack
from photographs import noisy_crop, save_image

import dni_deploy
import dni_runtime
from dni_deploy.cli import main
from dni_runtime import Endpoint, write_metadata

# Clears the screen, renames the window, makes a link, goes back in the line, turns the text around, is markup of Rich.
EVIL = "\x1b[2J\x1b]0;owned\x07\x1b]8;;http://evil\x1b\\click\x1b[0m\r\nError: \x9b31m\u202e\u2028[red]:smile:{}%s"
SHOWN = r"\x1b[2J\x1b]0;owned\x07\x1b]8;;http://evil\x1b\click\x1b[0m\r\nError: \x9b31m\u202e\u2028[red]:smile:{}%s"
# The same as a file name: without a slash, and with a byte that is no UTF-8.
FILE = os.fsdecode(b"\x1b[2J\x1b]0;owned\x07\r\nError: \xff\xc2\x9b31m\xe2\x80\xae[red]:smile:{}%s")
FILE_SHOWN = r"\x1b[2J\x1b]0;owned\x07\r\nError: \xff\x9b31m\u202e[red]:smile:{}%s"
UTF8 = FILE.replace("\udcff", "")  # ONNX Runtime opens no others
LONG = "n" * 10_000


class Told:
    """What a command said, as bytes: checked to hold no character that a terminal obeys."""

    def __init__(self, code: int, out: bytes, err: bytes, encoding: str = "utf-8") -> None:
        self.code, self.out, self.err = code, out.decode(encoding), err.decode(encoding)
        for character in {*self.out, *self.err} - {"\n"}:
            assert character.isprintable() or unicodedata.category(character) == "Zs", repr(character)
        assert "Traceback" not in self.err

    def error(self) -> str:
        """The one line that it is."""
        assert (self.code, self.out) == (1, "")
        (line,) = self.err.splitlines()
        assert line.startswith("Error: ")
        return line


def dni(*arguments: object, **environment: str) -> Told:
    command = [sys.executable, "-c", "from dni_deploy.cli import main; main(prog_name='dni')", *map(str, arguments)]
    path = os.pathsep.join(path for path in sys.path if path)
    run = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONPATH": path, **environment})
    return Told(run.returncode, run.stdout, run.stderr, environment.get("PYTHONIOENCODING", "utf-8"))


def dni_here(*arguments: object) -> Told:
    result = CliRunner().invoke(main, [str(a) for a in arguments], prog_name="dni", catch_exceptions=False)
    return Told(result.exit_code, result.stdout_bytes, result.stderr_bytes)


def hostile_model(path: Path, *, named: str = EVIL) -> Path:
    """An alpha-input model in which all that has a name has a hostile one."""
    model = conv_stack()
    keep = {"alpha", ""}
    for number, node in enumerate(model.graph.node):
        node.name = f"{named}{number}"
        for listed in (node.input, node.output):
            listed[:] = [name if name in keep else named + name for name in listed]
    for value in (*model.graph.initializer, *model.graph.input, *model.graph.output, *model.graph.value_info):
        value.name = value.name if value.name in keep else named + value.name
    model.graph.name = model.producer_name = model.doc_string = named
    endpoints = tuple(Endpoint(named + letter, "00" * 32) for letter in "AB")
    write_metadata(model, replace(METADATA, architecture=named, tool=named, endpoints=endpoints))
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_model(tmp_path_factory.mktemp("model") / f"{UTF8}.onnx")


def test_inspect_shows_every_name_and_json_has_it(tmp_path: Path):
    path = hostile_model(tmp_path / f"{FILE}.onnx")
    lines = dni("inspect", path).out.splitlines()
    assert lines[0] == f"{tmp_path}/{FILE_SHOWN}.onnx"
    for start, name in {"input": "input: float32[N,3,H,W]", "endpoint B": "B (SHA-256 0000", "made by": ""}.items():
        assert any(line.startswith(start) and SHOWN + name in line for line in lines)
    assert sum(line.startswith(f"{SHOWN}first.weight.A ") for line in lines) == 1
    told = json.loads(dni("inspect", path, "--json").out)
    assert told["path"] == str(path) and os.fsencode(told["path"]) == os.fsencode(path)
    assert EVIL + "input" in told["inputs"]
    assert [endpoint["file"] for endpoint in told["metadata"]["endpoints"]] == [EVIL + "A", EVIL + "B"]
    assert {EVIL + "first.weight.A", EVIL + "first.bias.B"} < {weight["name"] for weight in told["weights"]}


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C"}]
)
def test_a_terminal_of_few_letters(tmp_path: Path, environment: dict[str, str]):
    path = hostile_model(tmp_path / "模型\udcff.onnx", named="größe模")
    out = dni("inspect", path, **environment).out
    lacking = environment.get("PYTHONIOENCODING", "utf-8")
    assert ("größe模" if lacking == "utf-8" else "größe模".encode(lacking, "backslashreplace").decode(lacking)) in out
    assert json.loads(dni("inspect", path, "--json", **environment).out)["path"] == str(path)


def test_a_name_of_any_length_is_one_word_in_a_pipe(tmp_path: Path):
    long = hostile_model(tmp_path / "model.onnx", named=LONG)
    lines = dni("inspect", long, COLUMNS="80").out.splitlines()
    assert [line.split() for line in lines if line.startswith(f"{LONG}first.bias.A")] == [
        [f"{LONG}first.bias.A", "8", "float32", "0.0", "shared"]
    ]
    assert not any(line.endswith(" ") for line in lines)
    assert max(len(line) for line in lines if "nnn" not in line) < 200
    for length in (10, 70, 77, 78, 79, 80, 120, 200):
        path = hostile_model(tmp_path / f"{'p' * length}.onnx", named="")
        assert str(path) in dni_here("inspect", path).out.splitlines()


def test_run_tells_of_results_failures_and_refusals(model: Path, tmp_path: Path):
    photo = save_image(tmp_path / f"{FILE}.png", noisy_crop(16, 16))
    (tmp_path / f"{FILE}broken.png").write_bytes(b"GIF")
    told = dni("run", model, photo, tmp_path / f"{FILE}broken.png", "--alpha", 0.5, "-o", tmp_path / UTF8)
    assert told.code == 1
    (result,) = told.out.splitlines()
    assert result.startswith(f"{tmp_path}/{FILE_SHOWN.replace(chr(92) + 'xff', '')}/{FILE_SHOWN}.png  alpha 0.5  ")
    running, failed = told.err.splitlines()
    assert running.startswith("running on cpu ")
    assert failed.startswith(f"failed: {tmp_path}/{FILE_SHOWN}broken.png is not an image")
    told = dni("run", model, photo, "--alpha", 0.5, "-o", tmp_path / f"{FILE}.webp", "--json")
    data = json.loads(told.out)
    assert (data["input"], data["output"]) == (str(photo), str(tmp_path / f"{FILE}.webp"))
    assert (tmp_path / f"{FILE}.webp").exists()
    assert (
        f"{FILE_SHOWN}none.png does not exist" in dni("run", model, f"{FILE}none.png", "-o", tmp_path / "x.png").error()
    )
    other = hostile_model(tmp_path / f"{FILE}.onnx")
    assert "has a name that is not UTF-8" in dni("run", other, photo, "--alpha", 0.5, "-o", tmp_path / "x.png").error()


def test_commands_that_ship(model: Path, tmp_path: Path):
    told = dni("ship", "triton", model, "-o", tmp_path / FILE)
    (line,) = told.out.splitlines()
    assert (told.code, line.startswith(f"{tmp_path}/{FILE_SHOWN}/")) == (0, True)
    assert len(told.err.splitlines()) == 1
    assert dni("ship", "check", tmp_path / FILE).out.endswith(": good\n")
    (tmp_path / FILE / FILE / "1").mkdir(parents=True)
    (tmp_path / FILE / FILE / "config.pbtxt").write_text(json.dumps(EVIL))
    told = dni("ship", "check", tmp_path / FILE)
    assert told.code == 1 and any(line.startswith(f"{FILE_SHOWN}: ") for line in told.out.splitlines())
    assert FILE_SHOWN in dni("serve", f"{FILE}.onnx", "--server", f"/{FILE}").error()
    dni("ship", "web", model, "-o", tmp_path / "site", "--ort", tmp_path / f"{FILE}ort").error()


@pytest.mark.parametrize(
    "arguments",
    [
        [EVIL],
        [f"--{EVIL}"],
        ["inspect", f"--{EVIL}", "x"],
        ["demo", EVIL],
        ["run", "m.onnx", "x.png", "-o", "y.png", "--alpha", EVIL],
        ["run", "m.onnx", "x.png", "-o", "y.png", "--tile", EVIL],
        ["run", "m.onnx", "x.png", "-o", "y.png", "--provider-option", EVIL],
        ["bench", "m.onnx", "--size", EVIL],
        ["export", "a", "b", "-o", "c", "--arch-arg", EVIL],
        ["ship", "triton", "m.onnx", "-o", "r", "--haproxy", EVIL],
        ["ship", EVIL],
    ],
    ids=lambda arguments: " ".join(word for word in arguments if EVIL not in word) or "dni",
)
def test_what_was_typed_wrongly(arguments: list[str]):
    """A shell puts the names of files where * was typed."""
    told = dni_here(*arguments)
    assert (told.code, told.out) == (2, "")
    usage, hint, blank, error = told.err.splitlines()
    assert (usage[:7], hint[:5], blank, error[:7]) == ("Usage: ", "Try '", "", "Error: ")
    assert r"\x1b]0;owned\x07" in error


def in_a_terminal(*arguments: object) -> str:
    """What `dni` writes to a terminal of 60 columns, stdout and stderr together."""
    program = "from dni_deploy.cli import main; main(prog_name='dni')"
    path = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "60", "TERM": "xterm-256color"}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", program, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        text = b"".join(_until_closed(terminal))
    assert process.wait() == 0, text
    return text.decode()


def _until_closed(terminal: Any) -> Iterator[bytes]:
    try:
        while data := terminal.read(4096):
            yield data
    except OSError:  # how Linux says that the other end is closed
        return


def test_a_real_terminal_gets_our_colours_only(model: Path, tmp_path: Path):
    frames = tmp_path / "frames"
    for number in range(3):
        save_image(frames / f"{FILE}{number}.png", noisy_crop(200, 200))
    said = in_a_terminal("inspect", model)
    said += in_a_terminal("run", model, frames, "--alpha", 0.5, "--tile", 32, "-o", tmp_path / "out")
    assert results_in(tmp_path / "out") == names(frames)
    for part in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\u202e", "\u2028", "\udcff"):
        assert part not in said
    assert "[red]:smile:{}%s" in said.replace("\r\n", "")
    assert np.unique([len(line) for line in in_a_terminal("inspect", model).splitlines()]).size > 1


def test_nothing_prints_past_the_terminal():
    """Of what the package prints, all is escaped in one place."""
    found = []
    for package in (Path(dni_deploy.__file__).parent, Path(dni_runtime.__file__).parent):
        for file in package.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                text = ast.unparse(node) if isinstance(node, ast.Call | ast.Import | ast.ImportFrom) else ""
                if text.startswith(("print(", "click.echo(", "click.secho(", "from rich", "import rich")):
                    found.append(f"{file.relative_to(package.parent)}: {text}")
    assert {line.partition(":")[0] for line in found} == {
        "dni_deploy/terminal.py",
        "dni_deploy/bench/measuring/footprint.py",
    }
    assert [line for line in found if "footprint" in line] == [
        # To the process that started it.
        "dni_deploy/bench/measuring/footprint.py: print(json.dumps(footprint._answer(pickle.load(sys.stdin.buffer))))"
    ]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is full")
def test_a_full_disk_for_what_is_printed_is_told_in_a_line(model: Path, tmp_path: Path):
    save_image(tmp_path / "a.png", noisy_crop())
    program = [sys.executable, "-m", "dni_deploy.cli"]
    for words in (["inspect", model, "--json"], ["run", model, tmp_path, "--alpha", "0.3", "-o", tmp_path / "out"]):
        with open("/dev/full", "w") as full:
            command = [*program, *map(str, words)]
            told = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=100)
        assert told.returncode == 1
        assert told.stderr.splitlines()[-1] == "Error: standard output takes no more (No space left on device)"
        assert "Traceback" not in told.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_without_a_stream_the_work_is_done_all_the_same(model: Path, tmp_path: Path, closed: str):
    save_image(tmp_path / "a.png", noisy_crop())
    program = [sys.executable, "-m", "dni_deploy.cli"]
    for words in (["inspect", model], ["run", model, tmp_path / "a.png", "--alpha", "0.3", "-o", tmp_path / "b.png"]):
        command = ["sh", "-c", f'exec "$@" {closed}', "sh", *program, *map(str, words)]
        assert subprocess.run(command, capture_output=True, timeout=100).returncode == 0
    assert (tmp_path / "b.png").exists()

"""What holds for every command: help, version, where results and errors go, exit codes."""

import re
import shlex
from pathlib import Path

import click
import pytest
from commands import command, dni
from forked import forked

from dni_deploy.cli import main
from dni_deploy.demo import EXPORTED, PHOTOGRAPH, STRONG, WEAK

COMMANDS = ["bench", "blend", "calibrate", "demo", "export", "film", "fit", "inspect", "run", "serve", "ship"]
HEAVY = ("torch", "spandrel", "onnxscript", "onnx_ir", "safetensors")

HELP_PROGRAM = f"""
import sys
from dni_deploy.cli import main
try:
    main(sys.argv[1:])
finally:
    print("loaded:", *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["export", "--help"], ["run", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]):
    assert forked(HELP_PROGRAM, *arguments).assert_ok().err == "loaded:\n"


def test_the_check_above_can_fail():
    result = forked(HELP_PROGRAM, "inspect", WEAK, WEAK)
    assert set(result.err.splitlines()[-1].split()[1:]) == set(HEAVY) - {"onnxscript"}


def test_help_names_every_command():
    result = dni("--help").assert_ok()
    listed = [line.split()[0] for line in result.out.partition("Commands:")[2].splitlines() if line]
    assert listed == COMMANDS


@pytest.mark.parametrize("group", [(), ("ship",)])
def test_summaries_are_whole_in_a_terminal_of_80_columns(group: tuple[str, ...]):
    listed = dni(*group, "--help").assert_ok().out.partition("Commands:\n")[2].splitlines()
    assert all(line.endswith(".") and not line.endswith("...") for line in listed if line)


@pytest.mark.parametrize("name", ["blend", "calibrate", "export", "film", "fit", "inspect", "run", "serve"])
def test_help_teaches_by_examples(name: str):
    text = dni(name, "--help").assert_ok().out
    examples = text.partition("Example")[2].partition("Options:")[0]
    assert "dni-export A.pth B.pth --alpha" in examples if name == "export" else f"dni {name} " in examples


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_every_option(name: str):
    command = main.commands[name]
    for each in (command, *getattr(command, "commands", {}).values()):
        for option in each.params:
            assert not isinstance(option, click.Option) or option.help, option.name


def test_common_options_come_first_and_all_others_below_a_heading():
    text = dni("run", "--help").assert_ok().out
    common, *others = re.split(r"^(\w.*):$", text.partition("\nOptions:\n")[2], flags=re.MULTILINE)
    assert others[::2] == ["Other ways to say the strength", "Names and formats", "Pixels", "Where it runs"]
    listed = [re.findall(r"^  (?:-\w, )?--([\w-]+)", part, re.MULTILINE) for part in (common, *others[1::2])]
    assert listed[0][:2] == ["output", "alpha"]
    assert listed[0][-1] == "help"
    assert len(listed[0]) <= 10
    assert [each[0] for each in listed[1:]] == ["noise", "name", "output-scale", "provider"]


def test_options_without_headings_are_listed_as_click_does():
    text = dni("export", "--help").assert_ok().out
    assert text.count("Options:\n") == 1
    assert not [line for line in text.partition("Options:\n")[2].splitlines() if line and not line.startswith(" ")]


def test_short_help_works_everywhere():
    assert command("dni-export", "-h").assert_ok().out == command("dni-export", "--help").out
    assert dni("run", "-h").assert_ok().out == dni("run", "--help").out


def test_examples_in_the_help_are_commands_that_exist():
    for name, body in main.commands.items():
        lines = [line for line in (body.help or "").replace("\\\n", " ").splitlines() if " dni" in line]
        for line in lines:
            words = shlex.split(line[line.index(" dni") :].partition("    ")[0])
            chosen, arguments = ("export", words[1:]) if words[0] == "dni-export" else (words[1], words[2:])
            assert chosen == name
            main.commands[chosen].make_context(chosen, arguments, parent=click.Context(main))  # or a usage error


def test_version():
    assert command("dni", "--version").assert_ok().out == "dni-deploy 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "A", "B", "--alpha-input"], "Missing option '-o' / '--output'"),
        (["export", "-o", "m.onnx", "--alpha-input"], "Missing argument 'A B [C ...]'"),
        (["export", "A", "B", "-o", "m.onnx"], "give either --alpha-input"),
        (["export", "A", "B", "-o", "m.onnx", "--alpha-input", "--alpha", "0.5"], "not both or none"),
        (["export", "A", "B", "-o", "m.onnx", "--alpha", "half"], "'half' is no alpha"),
        (["export", "A", "B", "-o", "m.onnx", "--alpha", "0:1:0"], "'0:1:0' is no alpha"),
        (["export", "A", "B", "-o", "m.onnx", "--alpha-input", "--alpha-default", "0:1:0.5"], "takes one alpha, 3"),
        (["export", "A", "B", "-o", "m.onnx", "--alpha-input", "--input-shape", "1,3,64"], "'1,3,64' is no shape"),
        (["export", "A", "B", "-o", "m.onnx", "--alpha-input", "--input-shape", "1,3,0,64"], "no shape; expected four"),
        (["export", "A", "B", "-o", "m.onnx", "--alpha-input", "--input-shape", "1,3,6.5,64"], "is no shape"),
        (["export", "A", "B", "-o", "m.onnx", "--alpha-input", "--arch-arg", "features"], "is no KEY=VALUE"),
        (["export", "A", "B", "-o", "m.onnx", "--alpha-input", "--arch-arg", "a b=1"], "is no KEY=VALUE"),
        (["export", "A", "B", "-o", "m.onnx", "--alpha-input", "--dtype", "int8"], "'float32', 'float16'"),
        (["export", "A", "B", "-o", "m.onnx", "--alpha-input", "--weights", "zip"], "'embed', 'external', 'link'"),
        (["blend", "A", "B", "-o", "c.pth"], "Missing option '--alpha'"),
        (["blend", "A", "B", "--alpha", "0.5"], "Missing option '-o' / '--output'"),
        (["blend", "A", "B", "--alpha", "0:1:0.5", "-o", "c.pth"], "--alpha takes one alpha, 3 were given"),
        (["inspect"], "Missing argument 'A [B] | MODEL.onnx'"),
        (["inspect", "a.pth", "b.pth", "c.pth"], "3 files given; expected one or two checkpoints, or one ONNX"),
        (["run", "m.onnx", "-o", "out.png"], "Missing argument 'INPUT...'"),
        (["run", "m.onnx", "photo.png"], "Missing option '-o' / '--output'"),
        (
            ["run", "m.onnx", "photo.png", "-o", "x.png", "--provider", "gpu"],
            "'auto', 'fastest', 'cpu', 'cuda', 'tensorrt', 'openvino', 'ncnn'",
        ),
        (["run", "m.onnx", "photo.png", "-o", "x.png", "--tile", "wide"], "'wide' is not a valid integer"),
        (["paint"], "No such command 'paint'"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_wrong_usage_is_answered_with_how_to_call_it(arguments: list[object], message: str):
    dni(*arguments).assert_usage(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["export", WEAK, "none.pth", "--alpha-input", "-o", "m.onnx"],
            "none.pth does not exist; expected a checkpoint",
        ),
        (["export", WEAK, "--alpha-input", "-o", "m.onnx"], "at least two checkpoints"),
        (["export", WEAK, STRONG, "--alpha", "1.2", "-o", "m.onnx"], "alpha 1.2 is out of range"),
        (["export", WEAK, STRONG, "--alpha", "nan", "-o", "m.onnx"], "alpha nan is out of range"),
        (["export", WEAK, STRONG, "--alpha-input", "--arch", "Nothing", "-o", "m.onnx"], "expected auto, one of"),
        (
            ["blend", WEAK, "none.pth", "--alpha", "0.5", "-o", "c.pth"],
            "none.pth does not exist; expected a checkpoint",
        ),
        (["inspect", WEAK, "none.pth"], "none.pth does not exist; expected a checkpoint"),
        (["inspect", "none.pth"], "none.pth does not exist; expected a checkpoint"),
        (["inspect", "none.onnx"], "none.onnx does not exist; expected an .onnx file"),
        (["run", "none.onnx", WEAK, "-o", "x.png"], "none.onnx does not exist; expected an .onnx file"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_an_error_is_one_message_and_leaves_nothing(
    arguments: list[object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    dni(*arguments).assert_error(message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", WEAK, "none.pth", "--alpha-input", "-o", "m.onnx"], "none.pth does not exist"),
        (["export", WEAK, STRONG, "--alpha-input", "-o", "there.onnx"], "there.onnx exists already"),
        (["blend", WEAK, STRONG, "--alpha", "0.5", "-o", "c.onnx"], "c.onnx has an unknown suffix"),
        (["inspect", WEAK, "none.pth"], "none.pth does not exist"),
        (["run", "none.onnx", PHOTOGRAPH, "-o", "x.png"], "none.onnx does not exist"),
        (["run", EXPORTED, PHOTOGRAPH, "-o", "there.png"], "there.png exists already"),
        (["bench", "none.onnx"], "none.onnx does not exist"),
        (["ship", "triton", "none.onnx", "-o", "repo"], "none.onnx does not exist"),
        (["ship", "web", EXPORTED, "-o", "."], "holds something else than a site of ours"),
        (["serve", "none.onnx", "--server", "none"], "none.onnx does not exist"),
        (["demo", "-o", "demo"], "denoise.onnx exists already"),
    ],
    ids=lambda value: " ".join(map(str, value[:2])) if isinstance(value, list) else "",
)
def test_what_needs_no_pytorch_is_refused_without_it(arguments: list[object], message: str, tmp_path: Path):
    (tmp_path / "demo").mkdir()
    for name in ("there.onnx", "there.png", "demo/denoise.onnx"):
        (tmp_path / name).touch()
    result = forked(HELP_PROGRAM, *arguments, cwd=tmp_path)
    *_, error, loaded = result.err.splitlines()
    assert (result.code, loaded) == (1, "loaded:")
    assert error.startswith("Error: ") and message in error


def test_an_error_of_a_real_process_is_one_line_on_stderr(tmp_path: Path):
    result = command("dni-export", WEAK, "none.pth", "--alpha-input", "-o", tmp_path / "m.onnx")
    result.assert_error("none.pth does not exist; expected a checkpoint")
    assert result.err.count("\n") == 1

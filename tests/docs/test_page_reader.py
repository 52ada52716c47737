"""A page that does not do what it says fails the test that follows it."""

from pathlib import Path

import click
import pytest
from documents import find_command, read_blocks, read_prose
from onnx_models import conv_stack, picture, save
from page_reader import Reader
from photographs import save_image

MODEL, PHOTO = "stack.onnx", "photo.png"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    save(conv_stack(), tmp_path / MODEL)
    save_image(tmp_path / PHOTO, picture(16, 16, 3))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text)
    return path


def follow(folder: Path, text: str, **ports: str) -> None:
    with Reader(ports) as reader:
        for block in read_blocks(page(folder, text)):
            if block.runs:
                reader.follow(block)


def test_commands_a_shell_and_python_work_in_one_folder(folder: Path):
    follow(
        folder,
        "```bash\ndni run stack.onnx photo.png \\\n  --alpha 0.5 -o out.png  # half of it\ncp out.png copy.png\n```\n"
        "Text\n\n"
        "1. in a list\n\n   ```python\n   from pathlib import Path\n\n"
        "   copy = Path('copy.png').read_bytes()\n   ```\n\n"
        "```python\nassert copy == Path('out.png').read_bytes()\n```\n"
        "```text\nnobody runs this\n```\n<!-- not run: it would end badly -->\n```bash\nexit 1\n```\n",
    )


def test_modules_that_a_page_writes_are_its_own(folder: Path):
    write = "```bash\necho 'VALUE = {}' > of_the_page.py\n```\n```python\nfrom of_the_page import VALUE\n"
    follow(folder, write.format(1) + "assert VALUE == 1\n```\n")
    (folder / "of_the_page.py").unlink()
    follow(folder, write.format(22) + "assert VALUE == 22\n```\n")


@pytest.mark.parametrize(
    "text",
    [
        "```bash\ndni run gone.onnx photo.png --alpha 0.5 -o out.png\n```",
        "```bash\ndni run stack.onnx photo.png --strength 0.5 -o out.png\n```",
        "```bash\nfalse\ntrue\n```",
        "```bash\ncat gone | cat\n```",
        "```python\nassert False\n```",
        "```console\n$ dni run stack.onnx photo.png --alpha 0.5 -o out.png\nout.png  alpha 0.7  ... s\n```",
        "```console\n$ echo one; echo two\none\n```",
    ],
)
def test_what_does_not_work_fails(folder: Path, text: str):
    with pytest.raises(AssertionError):
        follow(folder, text)


def test_a_console_shows_what_is_said(folder: Path):
    follow(
        folder,
        "```console\n$ dni run stack.onnx photo.png --alpha 0.5 -o out.png\n"
        "running on ...\nout.png  alpha 0.5  ... s\n$ echo $((6 * 7))\n42\n```\n",
    )


def test_ports_are_others_in_a_test(folder: Path):
    follow(folder, "```bash\necho 8000 > port\n```\n```python\nassert 8000 == 8001\n```", **{"8000": "8001"})
    assert (folder / "port").read_text() == "8001\n"


def test_commands_of_a_block_are_found_wherever_they_stand(folder: Path):
    text = (
        "```bash\nA=1 && dni ship check repo\n.venv/bin/dni demo | cat; dni-export A.pth # dni run\n# dni bench\n```\n"
    )
    (block,) = read_blocks(page(folder, text))
    assert block.commands == [["dni", "ship", "check", "repo"], [".venv/bin/dni", "demo"], ["dni-export", "A.pth"]]
    assert [find_command(words)[0].name for words in block.commands] == ["check", "demo", "export"]
    assert block.line == 1


def test_options_that_are_gone_are_found():
    command, arguments = find_command(["dni", "ship", "triton", "a.onnx", "-o", "repo", "--gone"])
    with pytest.raises(click.UsageError, match="--gone"):
        command.make_context("dni ship triton", arguments)
    with pytest.raises(KeyError):
        find_command(["dni", "ship", "nowhere"])


def test_prose_is_what_stands_between_the_blocks(folder: Path):
    text = "one\n```bash\ntwo\n```\nthree\n~~~text\n```\nfour\n~~~\nfive"
    assert read_prose(page(folder, text)) == "one\nthree\nfive"

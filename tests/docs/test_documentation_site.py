"""What is made of the documentation on its way to the site. That the site is whole, `make lint` checks."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import griffe
import onnx
import pytest
from markdown import Markdown
from mkdocs.config import load_config

from dni_deploy.cli import main
from dni_deploy.demo import EXPORTED
from dni_runtime import Metadata, read_metadata

ROOT = Path(__file__).parents[2]
FOLDER = "docs/site"


@pytest.fixture(scope="module")
def hooks() -> dict[str, ModuleType]:
    return dict(load_config(str(ROOT / "mkdocs.yml")).hooks)


@pytest.mark.parametrize(
    ("source", "page", "written", "expected"),
    [
        ("SECURITY.md", "security.md", "[a](docs/index.md)", "[a](index.md)"),
        ("SECURITY.md", "security.md", "[a\nb](benchmarks/results/cuda/cuda.md#x)", "[a\nb](results/cuda/cuda.md#x)"),
        ("docs/a/b.md", "a/b.md", "![p](../../benchmarks/results/demo_pair.png)", "![p](../results/demo_pair.png)"),
        ("docs/a/b.md", "a/b.md", "[a](../index.md)", "[a](../index.md)"),
        (
            "benchmarks/results/delta.md",
            "results/delta.md",
            "see [how](../delta/run.py).",
            "see how (`benchmarks/delta/run.py`).",
        ),
        ("docs/a.md", "a.md", "[a](https://b.org/c) [d](#e) [f](gone.md)", "[a](https://b.org/c) [d](#e) [f](gone.md)"),
    ],
)
def test_links_of_the_repository_become_those_of_the_site(
    hooks: dict[str, ModuleType], source: str, page: str, written: str, expected: str
):
    assert hooks[f"{FOLDER}/repository.py"].with_site_links(written, source, page) == expected


def test_the_reference_has_every_command_and_option(hooks: dict[str, ModuleType]):
    text = "\n".join(hooks[f"{FOLDER}/command_line.py"].commands())
    for path, command in walk("dni", main):
        section = text.split(f"## {path}\n")[1].split("\n## ")[0]
        assert f"\n{path} [OPTIONS] " in section or f"\n{path} [OPTIONS]\n" in section
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert f"`{', '.join(parameter.opts)}" in section, (path, parameter.name)


def test_help_is_plain_text_but_for_code(hooks: dict[str, ModuleType]):
    escaped = hooks[f"{FOLDER}/command_line.py"]._escaped
    assert Markdown().convert(escaped("0<=x<2 *a* [b] c_d_e, `f*` & \\g")) == (
        "<p>0&#60;=x&#60;2 &#42;a&#42; &#91;b&#93; c&#95;d&#95;e, <code>f*</code> &#38; &#92;g</p>"
    )


def walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    for name, inner in command.commands.items() if isinstance(command, click.Group) else ():
        yield from walk(f"{path} {name}", inner)


def test_lists_of_arguments_become_lists():
    extensions = griffe.load_extensions(ROOT / FOLDER / "docstrings.py")
    package = griffe.load("dni_runtime", search_paths=[ROOT / "runtime"], extensions=extensions, allow_inspection=False)
    metadata = package["Metadata"].docstring.value
    assert "\n`scale`\n:   output height / input height, None where no such number exists.\n" in metadata
    assert (
        "\n`overlap`\n:   distance in input pixels over which an output pixel depends on the input, rounded up\n    to"
        in (metadata)
    )
    assert package["check_alpha"].docstring.value.startswith("Return alpha as `count` floats")


def test_the_example_of_metadata_is_that_of_a_file():
    page = (ROOT / "docs" / "reference" / "file-format.md").read_text(encoding="utf-8")
    example = page.split("```json\n")[1].split("```")[0]
    assert Metadata.from_json(example) == read_metadata(onnx.load(EXPORTED, load_external_data=False))

"""What the documentation names exists: commands that are not run, options, files and headings that it links to."""

import re
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
from documents import PAGES, ROOT, RUN, SHOWN, find_command, option_names, read_blocks, read_prose

from dni_deploy.cli import main

LINKING = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"]
# Options of other people's programs, which the pages tell about.
OTHERS = {"--load-model", "--model-control-mode", "--model-repository", "--strict", "--strict-readiness"}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_says_what_it_is(page: Path):
    unknown = [f"{block} {block.language or 'no language'}" for block in read_blocks(page)
               if block.language not in (*RUN, *SHOWN)]  # fmt: skip
    assert unknown == []
    # A reason stands in the line before a block that would run; elsewhere it would excuse nothing.
    reasons = re.findall("^ *<!-- not run", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(reasons) == sum(block.why_not is not None and block.language in RUN for block in read_blocks(page))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_that_are_not_run_exist(page: Path):
    for block in read_blocks(page):
        for words in block.commands if block.language in RUN and block.why_not else []:
            try:
                command, arguments = find_command(words)
                command.make_context(" ".join(words), list(arguments)).close()
            except (KeyError, click.UsageError) as error:
                pytest.fail(f"{block} {' '.join(words)}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_options_in_the_text_exist(page: Path):
    known = option_names(main) | OTHERS
    for code in re.findall(r"`([^`\n]+)`", read_prose(page)):
        words = code.split()
        command = main
        if words[0] in ("dni", "dni-export") and (len(words) == 1 or not words[1].isupper()):
            command, _ = find_command(words)
        allowed = known if command is main else option_names(command)
        mentioned = {word.partition("=")[0] for word in words if re.fullmatch(r"--[a-z][a-z-]*(=.*)?", word)}
        assert mentioned <= allowed, f"{name(page)}: `{code}`"


@pytest.mark.parametrize("page", LINKING, ids=name)
def test_links_lead_somewhere(page: Path):
    """Within the repository. Headings of docs/ are checked as its site is made, which has those of docstrings too."""
    for target in re.findall(r"\]\(([^)\s]+)\)", read_prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = unquote(target).partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{name(page)}: {target}"
        assert not heading or file.is_relative_to(ROOT / "docs") or heading in headings(file), f"{name(page)}: {target}"


def headings(page: Path) -> set[str]:
    """As GitHub and MkDocs name them, for headings of letters, digits and spaces."""
    titles = re.findall(r"^#+ +(.+)$", read_prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150

"""Pages of documentation: their fenced blocks, and the commands of ours in them."""

import functools
import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

import click

from dni_deploy.cli import main

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

RUN = ("bash", "console", "python")
SHOWN = ("cpp", "csv", "html", "ini", "js", "json", "mermaid", "text", "toml", "yaml")
"""Languages of blocks that nobody runs."""

_FENCE = re.compile(r"(?P<indent> *)(?P<marker>```+|~~~+) *(?P<language>[\w-]*)[^`]*")
_NOT_RUN = re.compile(r" *<!-- not run: (?P<why>\S.*) -->")
_OURS = re.compile(r"(?:[\w./-]*/)?(?:dni|dni-export)(?: |$)")
# Where another command may begin in a line of a shell.
_NEXT = re.compile(r"&&|\|\||[;|&](?= |$)|\$\(|\bdo ")


@dataclass(frozen=True)
class Block:
    """A fenced block. `line`: that of its fence, from 1; `why_not`: why it is not to be run, None where it is."""

    page: Path
    line: int
    language: str
    text: str
    why_not: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        return self.language in RUN and self.why_not is None

    @property
    def lines(self) -> list[str]:
        """Those that a shell sees: joined where they end in a backslash; of a console what was typed."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line[2:] for line in lines if line.startswith("$ ")] if self.language == "console" else lines

    @property
    def commands(self) -> list[list[str]]:
        """The words of every `dni` and `dni-export`, wherever in a line."""
        parts = [part.strip() for line in self.lines for part in _NEXT.split(line)]
        return [shlex.split(part, comments=True) for part in parts if _OURS.match(part)]


@functools.cache
def read_blocks(page: Path) -> tuple[Block, ...]:
    """Those of a page, in order. A fence that nobody closes ends with the page, as in Markdown."""
    found, before = list[Block](), ""
    numbered = enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
    for number, line in numbered:
        if fence := _FENCE.fullmatch(line):
            inner = list[str]()
            for _, text in numbered:
                if text.strip() == fence["marker"]:
                    break
                inner.append(text)
            reason = _NOT_RUN.fullmatch(before)
            text = textwrap.dedent("\n".join(inner))
            found.append(Block(page, number, fence["language"], text, reason and reason["why"]))
        before = line
    return tuple(found)


@functools.cache
def read_prose(page: Path) -> str:
    """A page without its fenced blocks."""
    inside, kept = "", list[str]()
    for line in page.read_text(encoding="utf-8").splitlines():
        fence = _FENCE.fullmatch(line)
        if not inside and fence is None:
            kept.append(line)
        elif fence is not None:
            inside = "" if inside == line.strip() else inside or fence["marker"]
    return "\n".join(kept)


def find_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command of the command line that `words` call, and what is left of them. KeyError for one that is not."""
    program, *words = words
    command: click.Command = main.commands["export"] if program.endswith("dni-export") else main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def option_names(command: click.Command) -> set[str]:
    """The options of a command and of those below it."""
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return {"-h", "--help", *own}.union(*map(option_names, below))

"""Somebody who tries a page of documentation: every block in order, in the current folder."""

import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Self

from commands import dni, process
from documents import Block, find_command
from triton_server import first_line, need_server

BIN = Path(sys.executable).parent
# What needs a shell, and how a line goes on that only a shell understands.
_SHELL = re.compile(r"[|&;<>*?$`{(]")


@dataclass
class Reader:
    """A context manager. `ports`: what a page's ports are replaced by, for somebody else may have those.

    Commands of ours that need no shell run in this process; the `python` blocks of a page share their names. What
    serves until Ctrl-C is left running, as in a second terminal, until the page has ended.
    """

    ports: dict[str, str] = field(default_factory=dict)
    _names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self._stack.callback(forget_modules, here := Path.cwd())
        sys.path.insert(0, str(here))  # as Python does where it is asked at a prompt
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def follow(self, block: Block) -> None:
        """Run a block. Fails where a command does, or where a console does not show what the block says."""
        for port, other in self.ports.items():
            block = replace(block, text=block.text.replace(port, other))
        if block.language == "python":
            code = "\n" * block.line + block.text  # lines of a traceback are those of the page
            exec(compile(code, str(block.page), "exec"), self._names)
            return
        shown = "".join(self._run(kind, list(lines)) for kind, lines in groupby(block.lines, _kind))
        if block.language == "console":
            expected = [line for line in block.text.replace("\\\n", " ").splitlines() if not line.startswith("$ ")]
            assert_shown(" ".join(expected), shown)

    def _run(self, kind: str, lines: list[str]) -> str:
        if kind == "shell":
            environment = {"PATH": os.pathsep.join([str(BIN), os.environ["PATH"]])}
            result = process(["bash", "-euo", "pipefail", "-c", "\n".join(lines)], **environment).assert_ok()
            return result.err + result.out
        if kind == "server":
            return "".join(map(self._serve, lines))
        results = [dni(*arguments).assert_ok() for arguments in map(_arguments, lines)]
        return "".join(result.err + result.out for result in results)

    def _serve(self, line: str) -> str:
        """Start a server; returns its first line."""
        arguments = _arguments(line)
        dni = (need_server() / "bin" if arguments[0] == "serve" else BIN) / "dni"
        server = self._stack.enter_context(subprocess.Popen([dni, *arguments], stdout=subprocess.PIPE, text=True))
        self._stack.callback(server.terminate)
        said = first_line(server)
        assert said, f"{line} has ended"
        return said


def forget_modules(folder: Path) -> None:
    """Another page may have modules of the same names."""
    sys.path.remove(str(folder))
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}"):
            del sys.modules[name]


def _kind(line: str) -> str:
    """Who runs a line: this process, a second terminal, or a shell."""
    words = shlex.split(line, comments=True) if re.match("dni(-export)? ", line) else []
    if not words or _SHELL.search(line.partition(" #")[0]):
        return "shell"
    name = find_command(words)[0].name
    return "server" if name == "serve" or (name == "web" and "--serve" in words) else "here"


def _arguments(line: str) -> list[str]:
    program, *words = shlex.split(line, comments=True)
    return ["export", *words] if program == "dni-export" else words


def assert_shown(expected: str, shown: str) -> None:
    """`expected`, in which `...` stands for anything; spaces and ends of lines do not count."""
    pattern = ".*".join(re.escape(" ".join(part.split())) for part in expected.split("..."))
    pattern = re.sub(r"(\\ )+", r"\\s*", pattern)
    assert re.fullmatch(rf"\s*{pattern}\s*", " ".join(shown.split()), re.DOTALL), shown

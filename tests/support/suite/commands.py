"""The command line as a test calls it, inside this process or as the installed commands, and what it answers."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from dni_deploy.cli import main


@dataclass(frozen=True)
class Result:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        """Of `dni run --json`: an object for each result."""
        return [json.loads(line) for line in self.out.splitlines()]

    def assert_ok(self) -> "Result":
        assert self.code == 0, self.err
        return self

    def assert_error(self, message: str) -> None:
        """One message on stderr that holds `message`, nothing on stdout, exit code 1, no traceback."""
        assert (self.code, self.out) == (1, "")
        assert [line.startswith("Error: ") for line in self.err.splitlines()].count(True) == 1
        assert message in self.err
        assert "Traceback" not in self.err

    def assert_usage(self, message: str) -> None:
        """How to call it, and `message`; exit code 2."""
        assert (self.code, self.out) == (2, "")
        assert "Usage: " in self.err
        assert message in self.err


def dni(*arguments: object) -> Result:
    """`dni` in this process, where PyTorch is loaded already; an exception that is no answer is raised."""
    result = CliRunner().invoke(main, [str(a) for a in arguments], prog_name="dni", catch_exceptions=False)
    return Result(result.exit_code, click.unstyle(result.stdout), click.unstyle(result.stderr))


def command(name: str, *arguments: object, cwd: Path | None = None, **environment: str) -> Result:
    """The installed command `name` in a process of its own."""
    program = Path(sys.executable).with_name(name)
    return process([str(program), *map(str, arguments)], cwd=cwd, **environment)


def python(program: str, *arguments: object, cwd: Path | None = None) -> Result:
    """`program` in a new interpreter, which finds what this one finds."""
    path = os.pathsep.join(path for path in sys.path if path)
    return process([sys.executable, "-c", program, *map(str, arguments)], cwd=cwd, PYTHONPATH=path)


def process(arguments: list[str], *, cwd: Path | None = None, **environment: str) -> Result:
    run = subprocess.run(arguments, capture_output=True, text=True, cwd=cwd, env=os.environ | environment, timeout=120)
    return Result(run.returncode, run.stdout, run.stderr)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def results_in(folder: Path) -> list[str]:
    """What a run has put into `folder`, but its notes."""
    return [name for name in names(folder) if name != ".dni-run"]

"""`dni` as a user calls it, inside a process that was forked for it, and its answer judged."""

import re
from dataclasses import dataclass

import click
from attempt import Answer
from case import Place
from outcome import REFUSED, RIGHT, SENTENCE, TERMINAL

# Colours of our own: red, yellow, bold, dim, and back.
_OUR_STYLES = re.compile(r"\x1b\[(0|1|2|31|33)m")
# Of these a terminal does more than show them; line feeds and tabs are ours.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# What a command says on stderr beside an error.
_CONTINUES = ("  ", "Expected: ")
_REMARKS = ("note: ", "warning: ", "running on ", "checked; ", "try it: ", "now ", "1 result becomes ")


@dataclass(frozen=True, slots=True)
class Said:
    """The exit code and what was printed, as a terminal gets it: C libraries' words too, our own colours taken off."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """Lines on stderr that are no remarks, and no list that belongs to the line above."""
        lines = self.err.split("\n")
        return [line for line in lines if line.strip() and not line.startswith((*_REMARKS, *_CONTINUES))]


def dni(place: Place, *arguments: object) -> Said:
    """Any exception but the end of the command is raised: a user would see a traceback."""
    import sys

    from dni_deploy.cli import main

    try:
        # With colour nothing is taken out of what the command prints: a terminal gets it all.
        main.main([str(a) for a in arguments], prog_name="dni", color=True)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    out, err = (
        (place.temporary / name).read_bytes().decode("utf-8", "surrogateescape") for name in ("stdout", "stderr")
    )
    return Said(code, _OUR_STYLES.sub("", out), _OUR_STYLES.sub("", err))


def judge(said: Said) -> Answer:
    """Right (so far), refused, or how its words are no good."""
    if found := _CONTROL.search(said.out + said.err):
        around = (said.out + said.err)[max(0, found.start() - 30) : found.end() + 30]
        return Answer(TERMINAL, ascii(around))
    if said.code == 0:
        return Answer(RIGHT)
    errors = said.errors
    if said.code != 1 or len(errors) != 1 or not errors[0].startswith(("Error: ", "failed: ")):
        lines = " | ".join(line[:100] for line in errors[:3])
        return Answer(SENTENCE, f"exit code {said.code}, {len(errors)} lines: {lines}")
    return Answer(REFUSED, errors[0])


def judge_raised(error: Exception) -> Answer:
    """The text of one of our own errors, as Python code gets it; any other exception is raised again."""
    from dni_runtime import DniError

    if not isinstance(error, DniError):
        raise error
    text = click.unstyle(str(error))
    return Answer(REFUSED, text) if text.strip() else Answer(SENTENCE, "an error without words")

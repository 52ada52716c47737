"""How a command ends that cannot do what it was asked for: one message on stderr, exit code 1; 2 for wrong usage."""

import atexit
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click

from dni_runtime import DniError, InputError
from dni_runtime.files.printable import printable


@contextmanager
def _errors() -> Iterator[None]:
    """Turns our own errors into one message on stderr and exit code 1; shows what messages name, see terminal."""
    try:
        yield
    except DniError as error:
        raise click.ClickException("\n".join(map(printable, error.args))) from None
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:  # it quotes what was typed, or what a shell found for *
        raise click.UsageError(printable(error.format_message()), error.ctx) from None


class _Command(click.Command):
    def main(self, *args: Any, **kwargs: Any) -> Any:
        # All memory goes with the process: to search a million objects of PyTorch for garbage took half a second.
        atexit.register(gc.freeze)
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _errors():
            return super().invoke(ctx)


class Command(_Command):
    """See _errors."""


class Group(click.Group, _Command):
    """See _errors."""

    command_class = Command


def parsed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A type for click: `parse`, whose InputError is wrong usage."""

    @wraps(parse)
    def convert(text: str) -> Any:
        try:
            return parse(text)
        except InputError as error:
            raise click.BadParameter(str(error)) from None

    return convert

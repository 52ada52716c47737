"""How a command ends that cannot do what it was asked for: one message on stderr, exit code 1; 2 for wrong usage."""

import atexit
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import click

from dni_deploy.terminal import say
from dni_runtime import DniError, InputError
from dni_runtime.files.printable import printable

COMMON = "Options"
"""What options stand below that are not put `under` a heading."""


@contextmanager
def _errors() -> Iterator[None]:
    """Turns our own errors into one message on stderr and exit code 1; shows what messages name, see terminal."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        for note in getattr(interrupt, "__notes__", ["interrupted"]):
            say(note, err=True)
        raise click.exceptions.Exit(130) from None  # as shells say it of a program that Ctrl-C has ended
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
    """See _errors. In its help, options that were put `under` a heading stand there, below the others."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records: dict[str, list[tuple[str, str]]] = {COMMON: []}
        for param in self.get_params(ctx):
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx)) is not None:
                records.setdefault(heading_of(param), []).append(record)
        for heading, lines in records.items():
            with formatter.section(heading):
                formatter.write_dl(lines)


def under(heading: str, *options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A decorator for all of `options`, decorators of one each, in this order and below `heading` in the help."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
            _HEADINGS[command.__click_params__[-1]] = heading
        return command

    return decorate


def heading_of(param: click.Parameter) -> str:
    """What `param` stands below in the help."""
    return _HEADINGS.get(param, COMMON)


_HEADINGS: dict[click.Parameter, str] = {}


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

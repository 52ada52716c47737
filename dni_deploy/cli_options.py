"""What the commands of `dni` share: options, their parsers, and how errors end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from dni_runtime import PROVIDERS, DniError, InputError
from dni_runtime.files.printable import printable

from .alphas import parse_alphas

SHAPE_LENGTH = 4
HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


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


def alphas(text: str) -> Any:
    try:
        return parse_alphas(text)
    except InputError as error:
        raise click.BadParameter(str(error)) from None


def shape(text: str) -> Any:
    parts = text.split(",")
    if len(parts) != SHAPE_LENGTH or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise click.BadParameter(f"{text!r} is no shape; expected four whole numbers such as 1,3,64,64")
    return tuple(int(part) for part in parts)


def size(text: str) -> Any:
    height, _, width = text.lower().partition("x")
    if not all(part.isdecimal() and int(part) for part in (height, width)):
        raise click.BadParameter(f"{text!r} is no size; expected height and width such as 64x64")
    return int(height), int(width)


def key_value(text: str) -> Any:
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise click.BadParameter(f"{text!r} is no KEY=VALUE; expected something like features=64")
    try:
        return key, json.loads(value)  # numbers, true, false, null, lists
    except ValueError:
        return key, value


def text_value(text: str) -> Any:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is no KEY=VALUE; expected something like device=GPU")
    return key, value


alpha_range = click.option(
    "--alpha-range", type=float, nargs=2, default=(0.0, 1.0), metavar="LO HI", show_default=True,
    help="Smallest and largest alpha that will be accepted; beyond 0..1 the blend extrapolates.",
)  # fmt: skip
arch = click.option(
    "--arch", default="auto", show_default=True, metavar="auto|NAME|CODE",
    help="The network: found by spandrel, a name that spandrel knows, or module:callable, path.py:callable.",
)  # fmt: skip
arch_args = click.option(
    "--arch-arg", "arch_args", multiple=True, type=key_value, metavar="KEY=VALUE",
    help="An argument for the callable of --arch; repeatable.",
)  # fmt: skip
provider = click.option(
    "--provider", type=click.Choice(PROVIDERS), default="auto", show_default=True,
    help="Where to run; nothing falls back silently.",
)  # fmt: skip
provider_options = click.option(
    "--provider-option", "provider_options", multiple=True, type=text_value, metavar="KEY=VALUE",
    help="For ONNX Runtime's provider, or for OpenVINO (device=GPU, or one of its properties); repeatable.",
)  # fmt: skip
force = click.option("--force", is_flag=True, help="Replace outputs that exist.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
endpoint_files = click.argument(
    "endpoints", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="A B [C ...]"
)

"""The arguments and options that commands share. Each is a decorator, or makes one of what differs between commands."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import click

from dni_runtime import PROVIDERS

from .errors import parsed
from .parsers import (
    parse_alphas,
    parse_alphas_or_auto,
    parse_argument,
    parse_knob,
    parse_places,
    parse_setting,
    parse_size,
)

Decorator: TypeAlias = Callable[[Any], Any]

HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
PATH: Any = click.Path(path_type=Path)


class _PathOrStream(click.Path):
    """A path; `-` alone stays what it is, and `./-` is a file of that name."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(value)
        if not value:  # as of a variable that is not set; Path takes it for the folder that one is in
            self.fail("a path is empty; expected a file or a folder", param, ctx)
        return path if value == "-" or path != Path("-") else path.absolute()


PATH_OR_STREAM: Any = _PathOrStream()


def _one_alpha(context: click.Context, option: click.Parameter, alphas: Sequence[Any] | None) -> Any:
    if alphas is not None and len(alphas) != 1:
        raise click.UsageError(f"{option.opts[0]} takes one alpha, {len(alphas)} were given")
    return alphas[0] if alphas else None


def _all_alphas(context: click.Context, option: click.Parameter, groups: Sequence[Sequence[Any]]) -> list[Any]:
    return [alpha for group in groups for alpha in group]


def _as_dict(context: click.Context, option: click.Parameter, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    return dict(pairs)


def _as_lists(
    context: click.Context, option: click.Parameter, pairs: Sequence[tuple[str, str]]
) -> dict[str, list[str]]:
    """Every value of a name, in their order."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


endpoint_files = click.argument("endpoints", nargs=-1, required=True, type=PATH, metavar="A B [C ...]")
model_file = click.argument("model", type=PATH)


def output(
    help: str,
    name: str = "output",
    *,
    metavar: str | None = "OUT",
    required: bool = True,
    type: Any = PATH,
    **settings: Any,
) -> Decorator:
    """-o: where results go. `name`: of the parameter."""
    return click.option(
        "-o", "--output", name, type=type, metavar=metavar, required=required, help=help, **settings
    )  # fmt: skip


def alphas(help: str, *, auto: bool = False) -> Decorator:
    """--alpha, which may be repeated and stand for several; the parameter `alphas` is the list of all.

    `auto`: whether it may be that word, too.
    """
    return click.option(
        "--alpha", "alphas", multiple=True, type=parsed(parse_alphas_or_auto if auto else parse_alphas),
        callback=_all_alphas, metavar="X|LO:HI:STEP" + "|auto" * auto, help=help,
    )  # fmt: skip


def one_alpha(help: str, name: str = "--alpha", *, required: bool = False) -> Decorator:
    """An option for one alpha, or none."""
    return click.option(
        name, required=required, type=parsed(parse_alphas), callback=_one_alpha, metavar="X", help=help
    )  # fmt: skip


alpha_range = click.option(
    "--alpha-range", type=float, nargs=2, default=(0.0, 1.0), metavar="LO HI", show_default=True,
    help="Smallest and largest alpha that will be accepted; beyond 0..1 the blend extrapolates.",
)  # fmt: skip
_CURVES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--through", dict(multiple=True, type=PATH, metavar="C", help="A fitted middle (dni fit) that the way from one "
     "endpoint to the next bends around; repeatable.")),
    ("--curve", dict(is_flag=True, help="Alpha is a place on the curve from A to B around --through C.")),
    ("--path", dict(is_flag=True, help="Alpha is a place on the way through all endpoints in order, straight from "
     "one to the next, or around the --through that were fitted between these two.")),
    ("--at", dict(type=parsed(parse_places), metavar="X,Y,...", help="With --path or --curve: the place of each "
     "endpoint, rising or falling.  [default: evenly from 1 to 0]")),
)  # fmt: skip
knobs = click.option(
    "--knob", "knobs", multiple=True, type=parsed(parse_knob), callback=_as_lists, metavar="NAME=PATTERN",
    help="An alpha of their own, alpha_NAME, for the parameters that PATTERN matches (conv_last*); repeatable.",
)  # fmt: skip


def curves(command: Any) -> Any:
    """--through, --curve, --path and --at: how endpoints lie along one alpha."""
    for name, settings in reversed(_CURVES):
        command = click.option(name, **settings)(command)
    return command


arch = click.option(
    "--arch", default="auto", show_default=True, metavar="auto|NAME|CODE",
    help="The network: found by spandrel, a name that spandrel knows, or module:callable, path.py:callable.",
)  # fmt: skip
arch_args = click.option(
    "--arch-arg", "arch_args", multiple=True, type=parsed(parse_argument), callback=_as_dict, metavar="KEY=VALUE",
    help="An argument for the callable of --arch, or for DRUNet and FDnCNN noise=SIGMA, or noise=50,0 for A and B; "
    "repeatable.",
)  # fmt: skip
value_range = click.option(
    "--range", "value_range", type=float, nargs=2, default=(0.0, 1.0), metavar="LO HI", show_default=True,
    help="Black and white in the images of a network given as code; the model's own are in 0..1 all the same.",
)  # fmt: skip
provider = click.option(
    "--provider", type=click.Choice(PROVIDERS), default="auto", show_default=True,
    help="Where to run; nothing falls back silently. fastest measures cpu, openvino and ncnn, and takes the best.",
)  # fmt: skip
provider_options = click.option(
    "--provider-option", "provider_options", multiple=True, type=parsed(parse_setting), callback=_as_dict,
    metavar="KEY=VALUE",
    help="For ONNX Runtime's provider, or for OpenVINO (device=GPU, or one of its properties); repeatable.",
)  # fmt: skip


def threads(help: str, *, multiple: bool = False) -> Decorator:
    """--threads: of the CPU."""
    return click.option("--threads", type=click.IntRange(min=1), multiple=multiple, metavar="N", help=help)


def sizes(name: str, help: str, parameter: str) -> Decorator:
    """Sizes of images; the option may be repeated."""
    return click.option(name, parameter, multiple=True, type=parsed(parse_size), metavar="HxW", help=help)


def listen(port: int, *, ports: int = 1, host_help: str, port_help: str) -> Decorator:
    """--host and --port. `ports`: how many are taken, one after another."""

    def decorate(command: Any) -> Any:
        for option in (
            click.option("--port", type=click.IntRange(0, 65536 - ports), default=port, show_default=True,
                         help=port_help),
            click.option("--host", default="127.0.0.1", show_default=True, help=host_help),
        ):  # fmt: skip
            command = option(command)
        return command

    return decorate


output_scale = click.option(
    "--output-scale",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="How many times as large as the input.  [default: the network's factor]",
)
tile = click.option(
    "--tile",
    type=click.IntRange(min=0),
    metavar="N",
    help="Tiles of N x N pixels, 0 for none.  [default: 512 for large images]",
)
overlap = click.option(
    "--overlap",
    type=click.IntRange(min=0),
    metavar="N",
    help="Pixels thrown away on each inner side of a tile.  [default: the network's reach]",
)
ray = click.option(
    "--ray",
    metavar="ADDRESS|local",
    help="Over the Ray cluster of this machine: auto or HOST:PORT; local starts one here.",
)
force = click.option("--force", is_flag=True, help="Replace outputs that exist.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")

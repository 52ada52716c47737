"""What `dni ship triton` and `dni serve` share: the options of `ShipOptions`."""

from typing import Any

import click

from dni_deploy.cli.options import Decorator, threads
from dni_deploy.ship import ShipOptions
from dni_deploy.ship.triton.contract import BACKENDS
from dni_deploy.ship.triton.options import ACCELERATORS, DEVICES

DEFAULTS = ShipOptions()


def ship_options(backend: str) -> Decorator:
    """All of them but for the warm-up; `backend` is the default."""
    options = [
        click.option(
            "--backend", type=click.Choice(BACKENDS), default=backend, show_default=True,
            help="onnxruntime: tensors as the network takes them. python: whole photographs, batches of equal alpha.",
        ),
        click.option("--device", type=click.Choice(DEVICES), default=DEFAULTS.device, show_default=True,
                     help="Where the model runs."),
        click.option("--instances", type=click.IntRange(min=1), default=DEFAULTS.instances, show_default=True,
                     metavar="N", help="Copies of the model that run at the same time."),
        click.option("--max-batch", type=click.IntRange(min=1), metavar="N",
                     help=f"Images of one execution; python backend only.  [default: {DEFAULTS.max_batch}]"),
        click.option("--max-queue-delay", "max_queue_delay_ms", type=click.FloatRange(min=0), metavar="MS",
                     default=DEFAULTS.max_queue_delay_ms, show_default=True,
                     help="Milliseconds that a request may wait for others to join it."),
        click.option("--max-pixels", type=click.IntRange(min=1), metavar="N", default=DEFAULTS.max_pixels,
                     show_default=True, help="Refuse requests with more pixels of uint8 images; python backend."),
        click.option("--max-input-pixels", type=click.IntRange(min=1), metavar="N", show_default=True,
                     default=DEFAULTS.max_input_pixels, help="The same for float tensors, which are not tiled."),
        threads("CPU threads of an instance.  [default: the cores, shared among the instances]"),
        click.option("--accelerator", type=click.Choice(ACCELERATORS), default=DEFAULTS.accelerator,
                     show_default=True, help="With --device gpu and the onnxruntime backend."),
        click.option("--response-cache", is_flag=True,
                     help="Answer repeated requests from memory; the server needs --cache-config too."),
    ]  # fmt: skip

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def chosen(options: dict[str, Any], warmup: tuple[tuple[int, int], ...]) -> ShipOptions:
    """What was chosen with `ship_options`."""
    if options["max_batch"] is None:
        options["max_batch"] = DEFAULTS.max_batch
    elif options["backend"] == "onnxruntime":
        raise click.UsageError(
            "--max-batch needs --backend python: the onnxruntime backend would run requests of different alphas as one"
        )
    return ShipOptions(**options, warmup=warmup)

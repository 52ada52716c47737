"""Step 1, on a machine with a CPU: the graphs of the networks, without their weights.

    python benchmarks/cuda/export.py -o FOLDER            some minutes; less than 3 MB to carry
    python benchmarks/cuda/export.py -o FOLDER --quick    networks for a rehearsal

Each is exported with the weights that `run.py` makes again, and checked against PyTorch with them.
"""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path

import click
from endpoints import FULL, build, make_endpoints

import dni_deploy

DTYPES = ("float32", "float16")
ABOUT = "about.json"


@click.command(help=__doc__.replace("\n\n", "\n\n\b\n", 1) if __doc__ else None)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to carry.")
@click.option("--networks", default=",".join(FULL), show_default=True, help="Which ones.")
@click.option("--quick", is_flag=True, help="Tiny variants, for a rehearsal.")
def main(output: Path, networks: str, quick: bool) -> None:
    output.mkdir(parents=True, exist_ok=True)
    for name in networks.split(","):
        for dtype in DTYPES:
            export(name, dtype, output, tiny=quick)
            click.echo(f"{name}, {dtype}", err=True)
    versions = {package: version(package) for package in ("dni-deploy", "torch", "onnx", "numpy")}
    (output / ABOUT).write_text(json.dumps({"tiny": quick, "networks": networks.split(","), "versions": versions}))


def export(name: str, dtype: str, output: Path, *, tiny: bool) -> Path:
    """Write the graph of one network; its weights are computed, used in the check, and left behind."""
    network = build(name, tiny=tiny)
    a, b = make_endpoints(network)
    network.load_state_dict(a)
    path = carried(output, name, dtype)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, path.name)
        dni_deploy.export([a, b], whole, alpha_input=True, arch=network, dtype=dtype, weights="external")
        path.write_bytes(whole.read_bytes())
    return path


def carried(folder: Path, name: str, dtype: str) -> Path:
    """The file of one network in the folder that is carried."""
    return folder / f"{name}-{dtype}.onnx"


if __name__ == "__main__":
    main()

"""What `dni serve` says once a server is ready: where it is, and how to try it."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dni_deploy.ship.triton.model_folder.config_file import CONFIG, read_config
from dni_deploy.ship.triton.model_folder.needs import Needs
from dni_deploy.ship.triton.model_folder.tiny_request import middle_alpha, tiny_request
from dni_deploy.ship.triton.repository import CLIENT
from dni_runtime import format_alpha

from .running import Running


def as_data(folders: Sequence[Path], needs: Needs, running: Running) -> dict[str, Any]:
    """Plain data for JSON."""
    addresses = running.addresses
    return {
        "model": folders[0].name,
        "models": [folder.name for folder in folders],
        "backend": " ".join(sorted(needs.backends)),
        "http": f"{addresses.host}:{addresses.http}",
        "grpc": f"{addresses.host}:{addresses.grpc}",
        "metrics": f"{addresses.host}:{addresses.metrics}",
        "repository": str(folders[0].parent),
        "pid": running.pid,
    }


def as_lines(told: dict[str, Any], *, shipped: bool) -> list[str]:
    """`told` of `as_data` for people. shipped: the repository is our own; in another one client.py may be anything."""
    url = f"http://{told['http']}/v2/models/{told['model']}"
    folder, names = Path(told["repository"], told["model"]), told["models"]
    config = read_config(folder)
    lines = [
        f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} served at",
        f"  HTTP     {url}",
        f"  gRPC     {told['grpc']}",
        f"  metrics  http://{told['metrics']}/metrics",
        "",
    ]
    if (request := tiny_request(config)) is not None:
        lines += ["Try it:", "  " + shlex.join(["curl", "-s", f"{url}/infer", "-d", request])]
    if shipped:
        alpha = middle_alpha(config)
        arguments = ["photo.jpg", *([] if alpha is None else [format_alpha(tuple(alpha))]), "result.png", told["http"]]
        lines.append("  " + shlex.join(["python", str(folder.parent / CLIENT), *arguments]))
    return [*lines, "", f"The configuration is {folder / CONFIG}. Ctrl-C stops the server."]

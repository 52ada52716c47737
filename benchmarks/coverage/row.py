"""One row of the table: a network, how it is built, and two related endpoints of it."""

import importlib
import re
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from calls import by_spandrel, call_of, call_of_code
from torch import Tensor, nn
from weights import Weights, related, show_pictures, trained

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Row:
    """A configuration of a network, small enough to be traced in a minute.

    name:         of the row; the first row of an architecture has the architecture's name.
    architecture: spandrel's identifier; None for a network given as code.
    network:      the class's name in spandrel's package of the architecture, or the function's in networks.py.
    options:      keyword arguments that build it. Where spandrel finds other ones in the weights, its own count.
    renamed:      patterns of names in the class and what they are in published checkpoints.
    beside:       buffers that published checkpoints hold beside the weights, though the class does not save them.
    refused:      dni-deploy is to refuse it in words.
    large:        cannot be made small, as spandrel builds it in one size: takes minutes and gigabytes.
    value_range:  of pixels inside the network, for a network given as code.
    """

    name: str
    architecture: str | None
    network: str
    options: Mapping[str, Any] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    refused: bool = False
    large: bool = False
    value_range: tuple[float, float] | None = None

    @property
    def is_first(self) -> bool:
        """Whether all is tried with it: the first row of an architecture, and the papers' networks."""
        return self.architecture in (self.name, None)

    @property
    def arch(self) -> str:
        """What `--arch` takes: detected by spandrel, or the code."""
        return "auto" if self.architecture else f"{HERE / 'networks.py'}:{self.network}"

    @property
    def arch_args(self) -> dict[str, Any]:
        """What `--arch-arg` takes, for code."""
        return {} if self.architecture else dict(self.options)

    def build(self) -> nn.Module:
        """The network with random weights as PyTorch and its authors initialise it, in evaluation mode."""
        if self.architecture:
            module = importlib.import_module(f"spandrel.architectures.{self.architecture}")
        else:
            module = importlib.import_module("networks") if str(HERE) in sys.path else _code()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network: nn.Module = getattr(module, self.network)(**self.options)
        return network.eval()

    def endpoints(self) -> tuple[Weights, Weights]:
        """The state dicts A and B: every layer matters, and B is A with a few per cent of noise."""
        torch.manual_seed(0)
        network = self.build()
        beside = {name: network.get_buffer(name).clone() for name in self.beside}
        a = trained(network)
        if not (self.large or self.refused):
            a |= self._shown({**a, **beside})
        b = related(a, network)
        return self._as_published({**a, **beside}), self._as_published({**b, **beside})

    def _shown(self, a: Weights) -> Weights:
        """Weights of the last layer with which A gives pictures."""
        if self.architecture is None:
            network = self.build()
            network.load_state_dict(a)
            x = _picture(self.options.get("channels", 3), 256)
            return show_pictures(network, call_of_code(network, self.value_range), x)
        found = by_spandrel(self._as_published(a))
        needs = found.size_requirements
        side = -(-max(needs.minimum, 32) // needs.multiple_of) * needs.multiple_of
        return show_pictures(found.model, call_of(found), _picture(found.input_channels, side))

    def _as_published(self, state: Weights) -> Weights:
        names = {name: name for name in state}
        for name in state:
            for pattern, published in self.renamed.items():
                names[name] = re.sub(f"^{pattern}", published, names[name])
        return {names[name]: tensor for name, tensor in state.items()}

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write A.pth and B.pth into `folder`; return their paths."""
        paths = folder / "A.pth", folder / "B.pth"
        for path, state in zip(paths, self.endpoints(), strict=True):
            torch.save(state, path)
        return paths


def _picture(channels: int, side: int) -> Tensor:
    slope = torch.linspace(0.1, 0.9, side)
    return (0.5 * slope + 0.5 * slope[:, None]).expand(1, channels, side, side).clone()


def _code() -> Any:
    """networks.py, where this folder is not on the path of imports."""
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module("networks")
    finally:
        sys.path.remove(str(HERE))

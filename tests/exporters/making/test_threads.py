"""Exports in several threads of one process."""

import math
import sys
import threading
from pathlib import Path

import torch
from torch import Tensor, nn

from dni_exporters import export
from dni_runtime import DniError


class Wide(nn.Module):
    """A network that no other test has traced; `width` makes two of them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.PReLU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(nn.functional.pad(x, (0, (4 - x.shape[3] % 4) % 4)))[..., : x.shape[3]]


def _of_the_process() -> tuple[object, ...]:
    nearest = torch._C._nn.upsample_nearest2d
    return (
        torch.export.export,
        torch.SymInt.__mod__,
        nearest,
        math.sqrt,
        sys.stdout,
        sys.stderr,
        torch.get_num_threads(),
    )


def test_exports_in_two_threads_take_turns_and_leave_all_as_it_was(tmp_path: Path):
    before, failed = _of_the_process(), []
    torch.manual_seed(0)

    def make(width: int) -> None:
        network = Wide(width).eval()
        states = [{name: tensor + n for name, tensor in network.state_dict().items()} for n in (0.0, 0.1)]
        try:
            export(states, tmp_path / f"{width}.onnx", alpha_input=True, arch=network, verdict=False)
        except DniError as error:
            failed.append(error)

    threads = [threading.Thread(target=make, args=(width,)) for width in (5, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["5.onnx", "7.onnx"]
    assert _of_the_process() == before

"""What users do with a checkpoint from a stranger: compare it with another one, and blend them."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attempt import Answer
from case import Place
from commands import dni, judge
from outcome import RIGHT, WRONG
from pickles import zipped

_ALPHA = 0.25
_NESTINGS = ("params_ema", "params", "state_dict", "model_state_dict", "model", "generator", "g_ema")
_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Kit:
    """`good`: the checkpoint that strangers' are compared and blended with."""

    good: Path

    def inspect(self, place: Place, file: Path) -> Answer:
        """Exit code 1 with a table, and no error, says that two checkpoints do not fit each other."""
        said = dni(place, "inspect", file, self.good)
        answer = judge(said)
        if said.code == 1 and said.out.strip() and not said.errors:
            return Answer(RIGHT, "they do not fit each other")
        return answer

    def blend(self, place: Place, file: Path) -> Answer:
        """The weights that come out are those that `torch.load` without a memory map gives, blended here."""
        output = place.outputs / "blend.safetensors"
        said = dni(place, "blend", file, self.good, "--alpha", _ALPHA, "-o", output)
        answer = judge(said)
        left = [path.name for path in place.outputs.iterdir() if path != output]
        if left:
            return Answer(WRONG, f"{left[0]} is left beside the result")
        if answer.result != RIGHT:
            return Answer(WRONG, "refused, and written") if output.exists() else answer
        return _compare(output, file, self.good)


def _compare(output: Path, file: Path, good: Path) -> Answer:
    import safetensors.torch
    import torch

    try:
        held: Any = safetensors.torch.load(file.read_bytes()) if file.suffix == ".safetensors" else _load(file)
    except Exception as error:
        return Answer(WRONG, f"blended, though PyTorch refuses the file: {str(error)[:120]}")
    made, other = safetensors.torch.load_file(output), safetensors.torch.load_file(good)
    held = _weights(held, set(other))
    if held is None:
        return Answer(RIGHT, "without a reference")
    for name, tensor in made.items():
        if not tensor.is_floating_point():
            continue
        expected = _ALPHA * held[name].double() + (1 - _ALPHA) * other[name].double()
        if not torch.allclose(tensor.double(), expected, rtol=1e-5, atol=1e-6, equal_nan=True):
            return Answer(WRONG, f"{name} is not the blend of what PyTorch reads")
    return Answer(RIGHT)


def _load(file: Path) -> Any:
    """By PyTorch; what it does not read for a damaged header is packed anew from members whose checksums are right."""
    import torch

    options: dict[str, Any] = {"map_location": "cpu", "weights_only": True}
    try:
        return torch.load(file, mmap=False, **options)
    except RuntimeError:
        with zipfile.ZipFile(file) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        return torch.load(io.BytesIO(zipped(members, "")), **options)


def _weights(held: Any, names: set[str]) -> Mapping[str, Any] | None:
    """The dictionary with all of `names`, wherever it lies."""
    for _ in range(_DEPTH):
        if not isinstance(held, Mapping):
            return None
        if names <= held.keys():
            return held
        held = next((held[key] for key in _NESTINGS if isinstance(held.get(key), Mapping)), None)
    return None

"""Endpoints of a small network as files, a.safetensors and so on."""

from pathlib import Path

from exporting import small_pair
from safetensors.torch import save_file


class EndpointFiles:
    """network, and the states and paths of `count` endpoints, all in `folder`."""

    def __init__(self, folder: Path, count: int) -> None:
        self.network, self.states = small_pair(count)
        self.paths = [folder / f"{letter}.safetensors" for letter in "abcdefgh"[:count]]
        for state, path in zip(self.states, self.paths, strict=True):
            save_file(state, path)
        self.folder = folder

"""`enhance` on a photograph, uint8 to uint8, beside the time that the network itself takes for its tiles."""

from collections.abc import Iterator

import names
import numpy as np
import torch
from lineup import Lineup, Record, picture
from our_ways import load
from way import ALPHA

_TILE = 512


def run_photo(lineup: Lineup, width: int, height: int, tile: int = _TILE, repeats: int = 3) -> Iterator[Record]:
    """Alternately the photograph and one of its tiles, from tensor to tensor; tiles are counted as they are done."""
    where = lineup.where | {"width": width, "height": height, "tile": tile}
    with lineup.attempt(names.OURS, "photo", **where) as attempt:
        opened = lineup.models.get(names.OURS)
        model = opened or load(lineup.files.model, lineup.device)
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        on_device = torch.from_numpy(picture(tile)).to(lineup.device.kind)
        tiles: list[int] = []

        def enhance() -> object:
            tiles.clear()
            return model.enhance(image, ALPHA, tile=tile, progress=lambda done, total: tiles.append(total))

        def network() -> object:
            return model.run_on_device(on_device, ALPHA)

        for call in (enhance, network, network):
            call()
        seconds = lineup.device.seconds
        rounds = [{"enhance": seconds(enhance), "tile": seconds(network)} for _ in range(repeats)]
        attempt.more["tiles"] = len(tiles)
        attempt.more["rounds"] = [{name: s * 1e3 for name, s in taken.items()} for taken in rounds]
        if model is not opened:
            model.close()
    yield attempt.record

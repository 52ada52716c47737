"""Contact sheets of the 33 pairs for the eye, under numbers drawn by chance: what they show is in seen.py.

    python benchmarks/real_pairs/look.py FOLDER      # 00.png to 32.png, and key.json, to be opened last

Of each picture the first row has A, the blends at 3/4, 1/2 and 1/4, and B; the second the picture itself and,
under the blends, the mixes of A's and B's own pictures.
"""

import json
import random
import tempfile
from pathlib import Path

import click
import torch
from pictures import ALPHAS, BETWEEN, SIDE_PX, as_image, looks, mix, pictures
from PIL import Image
from published import PAIRS, Pair, fetch, write_checkpoints

SHOWN_PX = 2 * SIDE_PX
GAP_PX = 3
STEP_PX = SHOWN_PX + GAP_PX


def sheet(pair: Pair, folder: Path) -> Image.Image:
    """Two columns of four pictures each."""
    inputs = pictures()
    half = -(-len(inputs) // 2)
    drawn = Image.new("RGB", (2 * (len(ALPHAS) * STEP_PX + GAP_PX), 2 * half * STEP_PX), "white")
    for number, (name, outputs) in enumerate(looks(pair, folder, inputs)):
        left, top = number // half * (len(ALPHAS) * STEP_PX + GAP_PX), number % half * 2 * STEP_PX
        drawn.paste(
            as_image(inputs[name]).resize((SHOWN_PX, SHOWN_PX), Image.Resampling.NEAREST), (left, top + STEP_PX)
        )
        for column, alpha in enumerate(ALPHAS):
            drawn.paste(as_image(outputs[alpha]), (left + column * STEP_PX, top))
            if alpha in BETWEEN:
                drawn.paste(as_image(mix(outputs, alpha)), (left + column * STEP_PX, top + STEP_PX))
    return drawn


@click.command()
@click.argument("output", type=click.Path(path_type=Path))
def main(output: Path) -> None:
    """Write the sheets into OUTPUT."""
    torch.set_num_threads(1)
    output.mkdir(parents=True, exist_ok=True)
    order = random.sample(PAIRS, len(PAIRS))
    with tempfile.TemporaryDirectory() as temporary:
        write_checkpoints(fetch(Path(temporary)), Path(temporary))
        for number, pair in enumerate(order):
            sheet(pair, Path(temporary)).save(output / f"{number:02}.png")
            click.echo(f"{output / f'{number:02}.png'}", err=True)
    (output / "key.json").write_text(json.dumps({f"{n:02}": pair.name for n, pair in enumerate(order)}, indent=1))


if __name__ == "__main__":
    main()

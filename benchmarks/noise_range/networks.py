"""Train what the bundled pair lacks for noise from sigma 15 to 75: its other end, and networks to measure by.

`weak` (sigma 15), `strong` (sigma 50), and the yardsticks for 25 and 30 are those of benchmarks/demo_pair. Here
`sigma75` is fine-tuned from `weak` to be the other end, and `sigma40` and `sigma60` to be further yardsticks. All have
the recipe of `strong`, so that nothing but the noise differs.

    python benchmarks/noise_range/networks.py             # the three, one after the other, about seven minutes each
    python benchmarks/noise_range/networks.py sigma75     # one
"""

import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo_pair"))
from train import RECIPES as PAIR
from train import Recipe, train_and_save

HERE = Path(__file__).resolve().parent
LOW, MIDDLE, HIGH = 15, 50, 75
STEPS, LEARNING_RATE = PAIR["strong"].steps, PAIR["strong"].learning_rate
RECIPES = {
    f"sigma{sigma}": Recipe(HERE / "checkpoints" / f"sigma{sigma}.safetensors", sigma, STEPS, LEARNING_RATE, seed=sigma)
    for sigma in (HIGH, 40, 60)
}
YARDSTICKS = {
    15: PAIR["weak"].file,
    25: PAIR["sigma25"].file,
    30: PAIR["sigma30"].file,
    40: RECIPES["sigma40"].file,
    50: PAIR["strong"].file,
    60: RECIPES["sigma60"].file,
    75: RECIPES["sigma75"].file,
}
"""sigma -> the network that was trained for it alone."""


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(RECIPES)))
@click.option("--threads", default=1, show_default=True, help="More than one may change the last bits.")
def main(names: tuple[str, ...], threads: int) -> None:
    """Train NAMES (all three when none is given) and write their checkpoints."""
    train_and_save({name: RECIPES[name] for name in names or RECIPES}, threads)


if __name__ == "__main__":
    main()

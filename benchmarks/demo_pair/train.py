"""Train the demo pair, and two networks to measure it by.

Deep Network Interpolation (Wang et al., arXiv 1811.10515) blends two networks of which one was fine-tuned
from the other. Here `weak` learns to remove Gaussian noise of sigma 15 from scratch, and `strong` is
fine-tuned from it to sigma 50, both of 255. `sigma25` and `sigma30` are fine-tuned from `weak` exactly as
`strong` is; they are what a blend has to keep up with.

The network is Real-ESRGAN's Compact (arXiv 2107.10833) at scale 1, where it adds its input to what it
computes, so it learns the noise, as DnCNN (arXiv 1608.03981) does.

    python benchmarks/demo_pair/train.py             # all four, one after the other
    python benchmarks/demo_pair/train.py strong      # one; those fine-tuned need `weak` to be there
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from photographs import DEMO, TRAINING, Photograph
from PIL import Image
from spandrel.architectures.Compact import Compact

HERE = Path(__file__).resolve().parent

PATCH_PX = 48
BATCH = 8
PYRAMID = (1.0, 0.75, 0.5)
GRADIENT_NORM_LIMIT = 0.5

Pixels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One network: the noise it is for, and how long and how fast it learns."""

    file: Path
    sigma: int
    steps: int
    learning_rate: float
    seed: int
    start: str | None = "weak"


# Fine-tuning is shorter and slower than training on purpose: the further a network moves from the one it
# started at, the sooner the straight line between the two leaves the region where networks work.
RECIPES = {
    "weak": Recipe(DEMO / "weak.safetensors", 15, 4000, 1e-3, seed=15, start=None),
    "strong": Recipe(DEMO / "strong.safetensors", 50, 2500, 5e-4, seed=50),
    "sigma25": Recipe(HERE / "checkpoints" / "sigma25.safetensors", 25, 2500, 5e-4, seed=25),
    "sigma30": Recipe(HERE / "checkpoints" / "sigma30.safetensors", 30, 2500, 5e-4, seed=30),
}


def network() -> Compact:
    """An untrained denoiser: (N, 3, H, W) float32 RGB in 0..1 to the same."""
    return Compact(num_in_ch=3, num_out_ch=3, num_feat=32, num_conv=8, upscale=1, act_type="prelu")


def pyramid(photograph: Photograph) -> list[Pixels]:
    """The photograph at several sizes: smaller copies have sharper edges and finer texture."""
    pixels = photograph.pixels()
    image = Image.fromarray((pixels * 255).round().astype(np.uint8))
    sizes = [(round(image.width * s), round(image.height * s)) for s in PYRAMID]
    return [np.asarray(image.resize(size, Image.Resampling.LANCZOS), np.float32) / np.float32(255) for size in sizes]


def patch(levels: list[Pixels], rng: np.random.Generator) -> Pixels:
    """A random crop (3, PATCH_PX, PATCH_PX), turned, mirrored, its channels shuffled and scaled.

    Half the photographs are grey; unequal channel gains give the network colours to learn from.
    """
    level = levels[rng.integers(len(levels))]
    y, x = (rng.integers(side - PATCH_PX + 1) for side in level.shape[:2])
    crop = np.rot90(level[y : y + PATCH_PX, x : x + PATCH_PX], int(rng.integers(4)))
    crop = crop[:, ::-1] if rng.random() < 0.5 else crop
    crop = crop[:, :, rng.permutation(3)]
    if rng.random() < 0.5:
        crop = crop * rng.uniform(0.5, 1.0, 3).astype(np.float32)
    return np.ascontiguousarray(crop.transpose(2, 0, 1))


def train(name: str, recipe: Recipe) -> tuple[Compact, float]:
    """The trained network and the seconds it took."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    model = network()
    if recipe.start is not None:
        model.load_state_dict(safetensors.torch.load_file(RECIPES[recipe.start].file))

    pyramids = [pyramid(photograph) for photograph in TRAINING]
    weights = np.array([photograph.weight for photograph in TRAINING])
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)

    started, mean_loss = time.perf_counter(), 0.0
    for step in range(1, recipe.steps + 1):
        chosen = rng.choice(len(pyramids), BATCH, p=weights / weights.sum())
        clean = np.stack([patch(pyramids[i], rng) for i in chosen])
        noise = rng.standard_normal(clean.shape, np.float32) * np.float32(recipe.sigma / 255)
        target = torch.from_numpy(clean)
        loss = torch.nn.functional.l1_loss(model(target + torch.from_numpy(noise)), target)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM_LIMIT)
        optimizer.step()
        schedule.step()
        mean_loss += (loss.item() - mean_loss) / min(step, 200)
        if step % 250 == 0:
            progress = f"step {step} of {recipe.steps}, {time.perf_counter() - started:.0f} s"
            click.echo(f"{name}: {progress}, L1 {mean_loss * 255:.2f}/255", err=True)
    return model, time.perf_counter() - started


def save(name: str, recipe: Recipe, model: Compact, seconds: float) -> None:
    """Write the weights, and what they are into the file's header."""
    start = "scratch" if recipe.start is None else f"{recipe.start}.safetensors"
    header = {
        "format": "pt",
        "architecture": "Compact (SRVGGNetCompact), 32 features, 8 convolutions, scale 1, PReLU",
        "purpose": f"removes Gaussian noise of sigma {recipe.sigma}/255; RGB in 0..1",
        "training": f"from {start}, {recipe.steps} steps of {BATCH} patches of {PATCH_PX} px, L1,"
        f" Adam {recipe.learning_rate:g} cosine, seed {recipe.seed}",
    }
    recipe.file.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(model.state_dict(), recipe.file, header)
    click.echo(f"{name}: {recipe.file} ({recipe.file.stat().st_size} bytes) in {seconds:.0f} s", err=True)


def train_and_save(recipes: Mapping[str, Recipe], threads: int) -> None:
    """One network after the other."""
    torch.set_num_threads(threads)
    for name, recipe in recipes.items():
        save(name, recipe, *train(name, recipe))


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(RECIPES)))
@click.option("--threads", default=1, show_default=True, help="More than one may change the last bits.")
def main(names: tuple[str, ...], threads: int) -> None:
    """Train NAMES (all four when none is given) and write their checkpoints."""
    train_and_save({name: RECIPES[name] for name in names or RECIPES}, threads)


if __name__ == "__main__":
    main()

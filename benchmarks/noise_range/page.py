"""What was lost beside a network for each level, as a page, a plot and JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from networks import MIDDLE, YARDSTICKS

PUBLISHED_DB = 1.9


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def below(data: Mapping[str, Any]) -> str:
    mean = data["mean_db"]
    own = mean["trained for it"]
    names = [name for name in mean if name != "trained for it"]
    rows = [[s, f"{own[s]:.2f}", *(f"{mean[name][s] - own[s]:+.2f}" for name in names)] for s in own]
    return table(["sigma", "trained for it", *names], rows)


def at_alphas(data: Mapping[str, Any]) -> str:
    alphas = {name: each for name, each in data["alphas"].items() if each and not name.startswith("the end")}
    rows = [[s, *(f"{each[s]:.3g}" for each in alphas.values())] for s in map(str, YARDSTICKS)]
    return table(["sigma", *alphas], rows)


def most_lost(data: Mapping[str, Any]) -> dict[str, float]:
    mean, own = data["mean_db"], data["mean_db"]["trained for it"]
    return {name: max(own[sigma] - each[sigma] for sigma in own) for name, each in mean.items()}


def markdown(data: Mapping[str, Any]) -> str:
    plain, clipped, fit = data["not clipped"], data["clipped"], data["fit"]
    lost, lost_clipped = most_lost(plain), most_lost(clipped)
    held = "holds here, too" if lost["linear"] > PUBLISHED_DB else "is not seen here"
    return f"""# One slider from sigma 15 to 75

Of Deep Network Interpolation it is said that in the middle of noise from sigma 15 to 75 it loses more than
{PUBLISHED_DB} dB to networks that were trained for the level (HyperRes' repository, CBSD68). The question, asked of the
bundled network: PSNR in dB beside a network that was fine-tuned for the level with the same recipe, mean of
{len(data["photographs"])} photographs that nobody trained on ({", ".join(data["photographs"])}). At 15 and 75 that
network is an end of the slider, at {MIDDLE} a knot of the path.

The most that is lost anywhere between 15 and 75:

- **alpha linear in sigma**: {lost["linear"]:.2f} dB. What is said {held}.
- **alpha calibrated**: {lost["calibrated"]:.2f} dB.
- **the fitted curve** (`dni fit`, {fit["steps"]} steps): {lost["fitted, linear"]:.2f} dB linear,
  {lost["fitted, calibrated"]:.2f} dB calibrated. It is worse than the straight line. A fit learns the *mix* of what
  both ends make, and is good at it ({fit["curve"]["to_mix_db"]:.1f} dB on held-out crops, where the straight line has
  {fit["straight"]["to_mix_db"]:.1f}); but a mix of a picture with noise in it and one without detail is not what the
  best network makes. `dni fit` says beforehand that the straight line of this pair blends, and was told to go on.
- **a path through the network for {MIDDLE}** (`--path --at 15,50,75`), alpha being the sigma itself:
  {lost["path, alpha = sigma"]:.2f} dB; calibrated {lost["path, calibrated"]:.2f} dB.

![dB beside the network for the level](noise_range.png)

## Noise that is not clipped

As networks are trained and compared; alpha is calibrated on such noise, too.

{below(plain)}
The alphas:

{at_alphas(plain)}
## Noise as it is in files

Clipped to 0..255 and rounded, calibrated by `dni calibrate` itself. Clipped noise is weaker than its sigma says, so
that the networks, all trained on noise that is not, are no longer the best for it: a plus is a gain over them.
The most that is lost: {lost_clipped["linear"]:.2f} dB linear, {lost_clipped["calibrated"]:.2f} dB calibrated,
{lost_clipped["path, alpha = sigma"]:.2f} dB and {lost_clipped["path, calibrated"]:.2f} dB along the path.

{below(clipped)}
The alphas:

{at_alphas(clipped)}
The fit took {fit["cpu_s"]:.0f} s of one core. All networks: Compact, 32 features, 8 convolutions, 76,035 parameters;
those that are fine-tuned have 2,500 steps, none is trained to its limit. {data["machine"]}.
Measured by `benchmarks/noise_range/run.py`; all values are in `noise_range.json`.
"""


def plot(data: Mapping[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    mean = data["not clipped"]["mean_db"]
    own = mean["trained for it"]
    styles = {"linear": ":", "calibrated": "-", "fitted, linear": ":", "fitted, calibrated": "-",
              "path, alpha = sigma": ":", "path, calibrated": "-"}  # fmt: skip
    colours = {"l": "tab:blue", "c": "tab:blue", "f": "tab:orange", "p": "tab:green"}
    figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    axes.axhline(0, color="0.4", lw=1)
    for name, style in styles.items():
        lost = [mean[name][str(sigma)] - own[str(sigma)] for sigma in YARDSTICKS]
        axes.plot(list(YARDSTICKS), lost, style, color=colours[name[0]], marker="o", ms=4, label=name)
    axes.set_xlabel("sigma of the noise, of 255, not clipped")
    axes.set_ylabel("dB beside the network that was trained for it")
    axes.set_title("One slider from sigma 15 to 75", loc="left")
    axes.set_ylim(-2.7, 0.2)
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=3, fontsize=9, loc="lower left")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def write(data: Mapping[str, Any], output: Path) -> None:
    rounded = json.loads(json.dumps(data), parse_float=lambda text: round(float(text), 3))
    (output / "noise_range.json").write_text(json.dumps(rounded, indent=1) + "\n")
    (output / "noise_range.md").write_text(markdown(rounded))
    plot(rounded, output / "noise_range.png")

"""The pairs as two pictures: cosine against colour shift, and what some of them make of a photograph."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from measure import family_of, kind
from pictures import ALPHAS, SIDE_PX, as_image, looks, mix, pictures
from PIL import Image, ImageDraw
from published import PAIRS
from seen import BLENDS, FAILS, TINT

from dni_exporters.verdict.words import SEEN_SHIFT, WRONG_SHIFT

Record = dict[str, Any]

COLOURS = {BLENDS: "#2ca02c", TINT: "#ff7f0e", FAILS: "#d62728"}
MARKERS = {"Real-CUGAN 2x": "o", "waifu2x cunet": "s", "waifu2x photo": "D", "Real-CUGAN pro 2x": "^"}
# One that blends and one that does not, of like cosines, and one that is next to the best.
SHOWN = {
    "Real-CUGAN 2x denoise1x, no-denoise": "portrait",
    "Real-CUGAN 2x conservative, denoise1x": "blue sky, JPEG",
    "Real-CUGAN 2x denoise2x, denoise3x": "grey, noise",
    "waifu2x cunet noise0, noise3": "cat, noise",
    "waifu2x cunet noise0, scale": "grey, noise",
    "waifu2x photo noise1, scale": "red",
    "Real-CUGAN pro 2x conservative, no-denoise": "portrait",
}
JPEG_QUALITY = 85
CAPTION_PX = 22


def plot(rows: list[Record], path: Path) -> None:
    """Each pair's colour shift against the cosine of its weights."""
    figure, axes = plt.subplots(figsize=(8, 5.2), layout="constrained")
    for row in rows:
        shift = max(figures["colour_shift"] for figures in row["verdict"]["figures"])
        style: dict[str, Any] = {"color": COLOURS[kind(row["verdict"])], "marker": MARKERS[family_of(row["pair"])]}
        axes.plot(row["cosine"], shift, ls="", ms=8, mec="white", mew=1, **style)
    for limit, text in ((SEEN_SHIFT, "seen beside the ends"), (WRONG_SHIFT, "wrong at first sight")):
        axes.axhline(limit, color="0.6", ls=(0, (5, 3)), lw=1, zorder=0)
        axes.annotate(text, (0.005, limit), xycoords=("axes fraction", "data"), va="bottom", fontsize=8, color="0.4")
    for label, colour in COLOURS.items():
        axes.plot([], [], ls="", marker="o", ms=8, color=colour, label=label)
    for label, marker in MARKERS.items():
        axes.plot([], [], ls="", marker=marker, ms=7, color="0.5", label=label)
    axes.set(yscale="log", xlabel="cosine similarity of the weights", ylabel="colour shift, mean CIEDE2000, the worst")
    axes.set_yticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    axes.minorticks_off()
    axes.set_title("Weights do not tell which pairs blend", loc="left")
    axes.grid(color="0.94")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)


def draw_sheet(rows: list[Record], folder: Path, path: Path) -> None:
    """A row for each of SHOWN: A, the blends, B, and the mix of both ends' pictures at 1/2."""
    by_name, inputs = {row["pair"]: row for row in rows}, pictures()
    shown_px, titles = 2 * SIDE_PX, [*(f"alpha {alpha:g}" for alpha in ALPHAS), "A and B mixed at 0.5"]
    sheet = Image.new("RGB", (len(titles) * shown_px, CAPTION_PX + len(SHOWN) * (shown_px + CAPTION_PX)), "white")
    text = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        text.text((column * shown_px + 4, 4), title, "black", font_size=13)
    for number, (name, picture) in enumerate(SHOWN.items()):
        row, top = by_name[name], CAPTION_PX + number * (shown_px + CAPTION_PX)
        pair = next(pair for pair in PAIRS if pair.name == name)
        ((_, outputs),) = looks(pair, folder, {picture: inputs[picture]})
        caption = f"{name}: cosine {row['cosine']:.2f}, {kind(row['verdict'])}"
        text.text((4, top + 3), caption, COLOURS[kind(row["verdict"])], font_size=14)
        for column, pixels in enumerate([*(outputs[alpha] for alpha in ALPHAS), mix(outputs, 0.5)]):
            sheet.paste(as_image(pixels), (column * shown_px, top + CAPTION_PX))
    sheet.save(path, quality=JPEG_QUALITY, optimize=True)

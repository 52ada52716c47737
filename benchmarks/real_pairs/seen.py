"""What one sees of the pairs.

The sheets of look.py were looked at under numbers drawn by chance, from 1/4 to 3/4 beside A, B and the mixes: first
all 33 that the limits of the verdict are set by, then the doubtful ones at their full size, and marked before the
verdict gave a figure for them; marks became words and one of three kinds when the names, and what others had measured
of these pairs, were known. One was hard to place, waifu2x photo noise0, scale: between a strong tint and a failure.
The drawings' networks were looked at in the same way when the limits stood, marked once, and not again.
"""

from dataclasses import dataclass

BLENDS = "blends"
TINT = "blends with a tint"
FAILS = "does not blend"


@dataclass(frozen=True, slots=True)
class Seen:
    """expected: BLENDS where nothing is seen, or only when one knows what to look for; TINT where colours are off
    beside the ends, and would pass without them; FAILS where the picture is wrong by itself."""

    expected: str
    words: str = ""


SEEN = {
    "Real-CUGAN 2x conservative, denoise1x": Seen(TINT, "blue sky turns violet, greys mauve, reds darker"),
    "Real-CUGAN 2x conservative, denoise2x": Seen(TINT, "blue sky turns violet, white a little grey, reds darker"),
    "Real-CUGAN 2x conservative, denoise3x": Seen(FAILS, "pink haze: white is pink, blue sky violet, black grey"),
    "Real-CUGAN 2x conservative, no-denoise": Seen(TINT, "white and greys faintly warm, blue sky faintly violet"),
    "Real-CUGAN 2x denoise1x, denoise2x": Seen(TINT, "reds pinker, skin cooler"),
    "Real-CUGAN 2x denoise1x, denoise3x": Seen(FAILS, "mauve haze over everything"),
    "Real-CUGAN 2x denoise1x, no-denoise": Seen(BLENDS, "nothing"),
    "Real-CUGAN 2x denoise2x, denoise3x": Seen(FAILS, "mauve haze: black is grey, white dull"),
    "Real-CUGAN 2x denoise2x, no-denoise": Seen(TINT, "greys faintly cyan, reds pinker"),
    "Real-CUGAN 2x denoise3x, no-denoise": Seen(FAILS, "pink haze over everything"),
    "waifu2x cunet noise0, noise1": Seen(BLENDS, "nothing"),
    "waifu2x cunet noise0, noise2": Seen(BLENDS, "a plain red is a little browner, once one knows"),
    "waifu2x cunet noise0, noise3": Seen(BLENDS, "a trace of violet, once one knows"),
    "waifu2x cunet noise0, scale": Seen(FAILS, "greys khaki, white cream, blue sky teal"),
    "waifu2x cunet noise1, noise2": Seen(BLENDS, "a plain red is a little browner, once one knows"),
    "waifu2x cunet noise1, noise3": Seen(BLENDS, "nothing"),
    "waifu2x cunet noise1, scale": Seen(FAILS, "greys brown, white beige"),
    "waifu2x cunet noise2, noise3": Seen(BLENDS, "greys a trace warmer, once one knows"),
    "waifu2x cunet noise2, scale": Seen(FAILS, "greys khaki, white beige, blue sky olive"),
    "waifu2x cunet noise3, scale": Seen(FAILS, "greys khaki, white beige, everything darker"),
    "waifu2x photo noise0, noise1": Seen(TINT, "noisy greys greenish, the rest as it was"),
    "waifu2x photo noise0, noise2": Seen(BLENDS, "nothing"),
    "waifu2x photo noise0, noise3": Seen(TINT, "greys between olive and teal"),
    "waifu2x photo noise0, scale": Seen(FAILS, "white is lavender, greys bluish: seen without the ends, if barely"),
    "waifu2x photo noise1, noise2": Seen(TINT, "noisy greys yellow-green, fur yellow"),
    "waifu2x photo noise1, noise3": Seen(TINT, "greys olive, reds duller"),
    "waifu2x photo noise1, scale": Seen(FAILS, "white blue-grey, reds brown, dark haze"),
    "waifu2x photo noise2, noise3": Seen(TINT, "greys olive, reds duller"),
    "waifu2x photo noise2, scale": Seen(FAILS, "white blue-grey, reds brown, dull"),
    "waifu2x photo noise3, scale": Seen(FAILS, "dark and blue-grey"),
    "Real-CUGAN pro 2x conservative, denoise3x": Seen(FAILS, "magenta, hardly a picture"),
    "Real-CUGAN pro 2x conservative, no-denoise": Seen(FAILS, "yellow, with halos"),
    "Real-CUGAN pro 2x denoise3x, no-denoise": Seen(FAILS, "white and cyan, hardly a picture"),
    "waifu2x drawings noise0, noise1": Seen(BLENDS),
    "waifu2x drawings noise0, noise2": Seen(TINT),
    "waifu2x drawings noise0, noise3": Seen(TINT),
    "waifu2x drawings noise0, scale": Seen(FAILS),
    "waifu2x drawings noise1, noise2": Seen(BLENDS),
    "waifu2x drawings noise1, noise3": Seen(TINT),
    "waifu2x drawings noise1, scale": Seen(FAILS),
    "waifu2x drawings noise2, noise3": Seen(BLENDS),
    "waifu2x drawings noise2, scale": Seen(FAILS),
    "waifu2x drawings noise3, scale": Seen(FAILS),
}

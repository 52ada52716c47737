"""How different two colours look: CIEDE2000, of sRGB values.

After G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary test
data, and mathematical observations", Color Research and Application 30 (2005); their letters are kept.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# IEC 61966-2-1 (sRGB) to CIE XYZ, and its white, D65 for the observer of 2 degrees.
_XYZ_OF_RGB = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
_WHITE = np.array([0.95047, 1.0, 1.08883])
_25_TO_7 = 25.0**7


def lab(rgb: Array) -> Array:
    """CIELAB (..., 3) of sRGB in 0..1 (..., 3); of grey (..., 1), which is lightness alone, with no colour."""
    if rgb.shape[-1] == 1:
        rgb = np.repeat(rgb, 3, axis=-1)
    rgb = rgb.astype(np.float64)
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = linear @ _XYZ_OF_RGB.T / _WHITE
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(first: Array, second: Array) -> Array:
    """The difference (...) between CIELAB colours (..., 3): 1 is about what an eye tells apart side by side."""
    l1, a1, b1 = np.moveaxis(first, -1, 0)
    l2, a2, b2 = np.moveaxis(second, -1, 0)
    c_mean_7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 1 + 0.5 * (1 - np.sqrt(c_mean_7 / (c_mean_7 + _25_TO_7)))
    c1, c2 = np.hypot(g * a1, b1), np.hypot(g * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, g * a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    grey = c1 * c2 == 0  # has no hue

    dh = np.where(grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    dh = np.where((dh == -180) & (h2 > h1), 180.0, dh)
    d_l, d_c, d_h = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh / 2))

    l_mean, c_mean, h_sum = (l1 + l2) / 2, (c1 + c2) / 2, h1 + h2
    apart = np.abs(h1 - h2) > 180
    h_mean = np.where(grey, h_sum, (h_sum + np.where(apart, np.where(h_sum < 360, 360.0, -360.0), 0.0)) / 2)
    t = (
        1
        - 0.17 * _cos(h_mean - 30)
        + 0.24 * _cos(2 * h_mean)
        + 0.32 * _cos(3 * h_mean + 6)
        - 0.20 * _cos(4 * h_mean - 63)
    )
    s_l = 1 + 0.015 * (l_mean - 50) ** 2 / np.sqrt(20 + (l_mean - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * t
    turn = np.radians(60 * np.exp(-(((h_mean - 275) / 25) ** 2)))
    r_t = -np.sin(turn) * 2 * np.sqrt(c_mean**7 / (c_mean**7 + _25_TO_7))
    l, c, h = d_l / s_l, d_c / s_c, d_h / s_h  # noqa: E741 - the paper's letters
    found: Array = np.sqrt(np.maximum(l * l + c * c + h * h + r_t * c * h, 0))
    return found


def _cos(degrees: Array) -> Array:
    return np.cos(np.radians(degrees))

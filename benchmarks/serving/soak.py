"""A server under constant load: does its memory grow?"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from server import GRPC, make_inputs, one_alpha, serving

import dni_runtime

CLIENTS = 4
# Every this-many-th answer is compared with the reference; comparing all would take the server's processor time.
_CHECKED = 20
_SIZES = (16, 97)
_PIXEL_TOLERANCE = 1
_SAMPLE_S = 1.0
# The first minutes, in which all sizes and as many alphas as are kept have been seen.
_SETTLING_S, _SETTLING_SHARE = 180.0, 0.4
_BLOCK = 10
_Z95 = 1.96
_PARAMETERS = 2


@dataclass(frozen=True, slots=True)
class Soak:
    """samples: (minutes, MB) of resident memory, all processes of the server together.

    slope: MB an hour after `settled_min` minutes; within `uncertainty` of it with a probability of 95 %.
    """

    clients: int
    answers: int
    checked: int
    wrong: int
    samples: tuple[tuple[float, float], ...]
    settled_min: float
    slope_mb_h: float
    uncertainty_mb_h: float


def soak(model: Path, minutes: float, progress: Callable[[str], None]) -> Soak:
    """Random images of random sizes at random alphas, from a few clients that never pause, for `minutes`."""
    stop, counts, failures = threading.Event(), [[0, 0, 0] for _ in range(CLIENTS)], list[Exception]()
    with serving(model) as server, dni_runtime.load(model, "cpu", threads=1) as reference:

        def ask(number: int) -> None:
            rng = np.random.default_rng(number)
            try:
                with server.client(GRPC) as client:
                    while not stop.is_set():
                        image = rng.integers(0, 256, (*rng.integers(*_SIZES, 2), 3), np.uint8)
                        alpha = float(np.float32(rng.random()))
                        inputs = make_inputs(GRPC, {"image": image[None], "alpha": one_alpha(alpha)})
                        answer = client.infer(server.model, inputs).as_numpy("output_image")[0]
                        counts[number][0] += 1
                        if counts[number][0] % _CHECKED == 0:
                            off = np.abs(answer.astype(int) - reference.enhance(image, alpha)).max()
                            counts[number][1] += 1
                            counts[number][2] += int(off > _PIXEL_TOLERANCE)
            except Exception as error:  # of any kind: it ends the soak
                failures.append(error)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        samples, began = list[tuple[float, float]](), time.perf_counter()
        while (passed := time.perf_counter() - began) < minutes * 60 and not failures:
            samples.append((passed / 60, server.resident_bytes() / 1e6))
            if len(samples) % 60 == 1:
                progress(f"soak: {passed / 60:.0f} of {minutes:g} minutes, {samples[-1][1]:.0f} MB")
            time.sleep(_SAMPLE_S)
        stop.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    answers, checked, wrong = map(sum, zip(*counts, strict=True))
    settled = min(_SETTLING_S / 60, _SETTLING_SHARE * minutes)
    slope, uncertainty = fit_slope([sample for sample in samples if sample[0] >= settled])
    return Soak(CLIENTS, answers, checked, wrong, tuple(samples), settled, slope, uncertainty)


def fit_slope(samples: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The slope of MB over minutes, in MB an hour, and the half width of its 95 % interval.

    Least squares over means of some seconds. Neighbouring means are alike, so the variance is larger than that of
    independent ones, by (1 + r) / (1 - r), with r the correlation of one residual with the next.
    """
    blocks = len(samples) // _BLOCK
    if blocks <= _PARAMETERS:
        return 0.0, float("inf")
    means = np.array(samples[: blocks * _BLOCK]).reshape(blocks, _BLOCK, 2).mean(1)
    hours, mb = means[:, 0] / 60, means[:, 1]
    slope, level = np.polyfit(hours, mb, _PARAMETERS - 1)
    residuals = mb - (slope * hours + level)
    squares = float((residuals**2).sum())
    r = max(0.0, float((residuals[1:] * residuals[:-1]).sum()) / squares) if squares else 0.0
    variance = squares / (blocks - _PARAMETERS) / ((hours - hours.mean()) ** 2).sum() * (1 + r) / (1 - r)
    return float(slope), float(_Z95 * np.sqrt(variance))

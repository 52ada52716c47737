"""Ten thousand calls from eight threads, each with an alpha of its own: every answer is that of *its* alpha."""

import itertools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx_models import FloatArray, conv_stack, noise, save, tinted

from dni_runtime import Model, load
from dni_runtime.alpha import Key
from dni_runtime.opening.runners import Pinning
from dni_runtime.prepared.laid_out import LaidOut
from dni_runtime.providers.sessions import Place
from dni_runtime.weights.alpha_file import AlphaFile

THREADS = 8
CALLS = 625  # of each thread, on each of two models
X = noise(1, 3, 8, 8)
# Two thirds of the calls take one of these, in turn for a while as users do; the others an alpha that comes once.
REPEATED = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
UNIQUE = [float(alpha) for alpha in np.linspace(0.0002, 0.9998, 2000)]


def references(proto: onnx.ModelProto) -> dict[float, FloatArray]:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return {
        alpha: session.run(None, {"input": X, "alpha": np.array([alpha], np.float32)})[0]
        for alpha in (*REPEATED, *UNIQUE)
    }


def tolerance(wanted: FloatArray) -> float:
    """Float32 sums in another order."""
    return 1e-5 * max(1.0, float(np.abs(wanted).max()))


def schedules(seed: int) -> list[list[float]]:
    """The alphas of each thread's calls; the unique ones are shared out among the threads."""
    rng = np.random.default_rng(seed)
    unique = iter(rng.permutation(UNIQUE).tolist())
    found = []
    for _ in range(THREADS):
        alphas: list[float] = []
        while len(alphas) < CALLS:
            if rng.random() < 0.6:
                alphas.append(next(unique))
            else:
                alphas += [float(rng.choice(REPEATED))] * int(rng.integers(2, 6))
        found.append(alphas[:CALLS])
    return found


def test_every_answer_is_that_of_its_alpha(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pinned: list[Key] = []
    original = AlphaFile.open_pinned

    def open_pinned(file: AlphaFile, alpha: Key, place: Place) -> Any:
        pinned.append(alpha)
        return original(file, alpha, place)

    monkeypatch.setattr(AlphaFile, "open_pinned", open_pinned)
    protos = (conv_stack(features=24), tinted())
    wanted = [references(proto) for proto in protos]
    for of_model in wanted:
        # A wrong alpha would be noticed, the nearest one too.
        for one, other in itertools.pairwise(sorted(of_model)):
            assert np.abs(of_model[one] - of_model[other]).max() > 5 * tolerance(of_model[one])
    paths = [save(proto, tmp_path / f"{number}.onnx") for number, proto in enumerate(protos)]
    # Room for one set of weights, and for two pins: they are given up all the time.
    with load(paths[0], "cpu", threads=1, pin_cache_mib=0) as laid, load(paths[1], "cpu", pin_cache_mib=17) as pinning:
        assert isinstance(laid._runner, LaidOut)
        assert isinstance(pinning._runner, Pinning)
        wrong, calls = run_all((laid, pinning), wanted)
    assert calls == 2 * THREADS * CALLS == 10_000
    assert not wrong
    assert len(pinned) > 2  # more than there is room for


def run_all(models: tuple[Model, ...], wanted: list[dict[float, FloatArray]]) -> tuple[list[str], int]:
    """All calls of all threads, which take turns between the models; what was wrong, and how many there were."""
    wrong: list[str] = []
    done = [0] * THREADS
    plans = [schedules(seed) for seed in range(len(models))]
    together = threading.Barrier(THREADS)

    def work(index: int) -> None:
        together.wait(60)
        for step in range(CALLS):
            for number, model in enumerate(models):
                alpha = plans[number][index][step]
                expected = wanted[number][alpha]
                try:
                    error = float(np.abs(model(X, alpha) - expected).max())
                except Exception as failure:
                    wrong.append(f"model {number}, alpha {alpha}: {failure!r}")
                    return
                if not error <= tolerance(expected):
                    wrong.append(f"model {number}, alpha {alpha}: off by {error}")
                done[index] += 1

    workers = [threading.Thread(target=work, args=(index,)) for index in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return wrong, sum(done)


def test_the_share_of_unique_alphas():
    """Many come once, and some come back often enough for pins."""
    alphas = list(itertools.chain(*schedules(0)))
    unique = [alpha for alpha in alphas if alpha not in REPEATED]
    assert len(set(unique)) == len(unique) > 1000
    assert all(alphas.count(alpha) > 300 for alpha in REPEATED)

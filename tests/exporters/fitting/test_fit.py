"""Curves and lessons that are learnt, from photographs to the files: what is gained, and that it can be repeated."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
from apart import TwoLayers, photographs, through
from networks import Weights
from safetensors.torch import load_file

from dni_exporters import FitReport, fit
from dni_exporters.checkpoints.middles import KEY, read_middle
from dni_exporters.fitting.judge import Judge
from dni_exporters.fitting.learner import Recipe
from dni_exporters.graphs.blend import blend_tensors
from dni_exporters.verdict.photographs import built_in, network_input
from dni_exporters.verdict.verdict import Figures
from dni_runtime import ArchitectureError, EndpointError

STEPS = 60


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("photos"))


def apart(**options: Any) -> tuple[torch.nn.Module, Weights, Weights]:
    """A network, and the weights of two endpoints whose straight line is dark."""
    network, a = through(0, **options)
    return network, a, through(3, contrast=0.6, seed=1, **options)[1]


def fitted(photos: Path, output: Path, **settings: Any) -> FitReport:
    network, a, b = apart()
    return fit([a, b], output, photos=photos, arch=network, threads=1, **{"steps": STEPS, **settings})


def output_of(network: torch.nn.Module, weights: Weights, x: torch.Tensor) -> torch.Tensor:
    network.load_state_dict(weights)
    with torch.no_grad():
        found: torch.Tensor = network(x)
    return found


def image() -> torch.Tensor:
    return torch.from_numpy(network_input(built_in()[0].window(48, 48), 3))


@pytest.mark.parametrize(("curve", "names"), [("quadratic", ["c"]), ("cubic", ["c-1", "c-2"])])
def test_a_curve_comes_near_the_mix_where_the_straight_line_is_dark(
    photos: Path, tmp_path: Path, curve: str, names: list[str]
):
    report = fitted(photos, tmp_path / "c.safetensors", curve=curve, steps=120)
    assert report.before.least_db < 15
    assert not report.before.blends
    assert report.after.least_db > report.before.least_db + 12
    assert report.after.blends
    assert report.after.most_shift < 4
    assert report.after.to_b_db == 100  # exact
    assert [file.name for file in report.files] == [f"{name}.safetensors" for name in names]


def test_a_start_from_what_was_fitted_for_another_pair_is_a_lead(photos: Path, tmp_path: Path):
    """A is another one, B the same; what was there before is told of the straight line all the same."""
    network, _, b = apart()
    sibling = through(0, seed=7)[1]
    c = fitted(photos, tmp_path / "c.safetensors", steps=120).files[0]
    asked: dict[str, Any] = {"photos": photos, "arch": network, "threads": 1, "steps": 10}
    cold = fit([sibling, b], tmp_path / "cold.safetensors", **asked)
    warm = fit([sibling, b], tmp_path / "warm.safetensors", start=c, **asked)
    assert warm.before == cold.before
    assert warm.after.least_db > cold.after.least_db + 3
    again = fit([sibling, b], tmp_path / "again.safetensors", start=load_file(c), **asked)
    assert again.after == warm.after
    wide = through(0, channels=5)[1]
    with pytest.raises(EndpointError, match="endpoint 3"):
        fit([sibling, b], tmp_path / "wide.safetensors", start=wide, **asked)
    assert not (tmp_path / "wide.safetensors").exists()


def test_what_is_written_is_the_curve_that_was_judged(photos: Path, tmp_path: Path):
    """The middle's file, in the formula of the paper, on an image of its own."""
    report = fitted(photos, tmp_path / "c.safetensors")
    network, a, b = apart()
    c, x = load_file(report.files[0]), image()
    mix = (output_of(network, a, x) + output_of(network, b, x)) / 2
    curved = {name: 0.25 * a[name] + 0.5 * c[name] + 0.25 * b[name] for name in a}
    error = {
        name: float((output_of(network, weights, x) - mix).abs().mean())
        for name, weights in {"curve": curved, "straight": blend_tensors([a, b], [0.5, 0.5])}.items()
    }
    assert error["curve"] < error["straight"] / 3


def test_a_middle_says_what_it_belongs_to(photos: Path, tmp_path: Path):
    report = fitted(photos, tmp_path / "c.safetensors", curve="cubic", steps=25)
    for number, file in enumerate(report.files, 1):
        middle = read_middle(file)
        assert middle is not None
        assert (middle.degree, middle.number) == (3, number)
        assert [end.file for end in middle.ends] == ["endpoint 1", "endpoint 2"]
        with safetensors.safe_open(file, "pt") as opened:
            figures = json.loads(opened.metadata()[KEY])["figures"]
        assert figures["to_mix_db"]["0.5"] == round(report.after.figures[1].to_mix_db, 2)
        assert figures["verdict"] == report.after.text


def test_a_network_learns_the_pictures_of_another_architecture(photos: Path, tmp_path: Path):
    network, a = through(0)
    teacher, b = through(0, contrast=0.5, channels=5)
    report = fit(
        [a, b], tmp_path / "b2.safetensors", photos=photos, arch=network, arch_b=teacher, teach=True, steps=120,
        threads=1,
    )  # fmt: skip
    assert report.after.to_b_db > report.before.to_b_db + 6
    assert report.after.least_db > report.before.least_db + 4
    taught, x = load_file(report.files[0]), image()
    assert taught.keys() == a.keys()
    assert read_middle(report.files[0]) is None
    wanted = (output_of(network, a, x) + output_of(teacher, b, x)) / 2
    between = output_of(network, blend_tensors([a, taught], [0.5, 0.5]), x)
    assert float((between - wanted).abs().mean()) < 0.6 * float((output_of(network, a, x) - wanted).abs().mean())


def test_a_network_that_takes_square_images_alone_learns_from_such(photos: Path, tmp_path: Path):
    network, a = through(0)
    teacher, b = through(0, contrast=0.5)
    teacher.register_forward_pre_hook(_squares_of_16)
    report = fit([a, b], tmp_path / "b2.safetensors", photos=photos, arch=network, arch_b=teacher, teach=True, steps=60,
                 threads=1)  # fmt: skip
    assert report.after.to_b_db > report.before.to_b_db + 3


def _squares_of_16(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    if inputs[0].shape[2] != inputs[0].shape[3] or inputs[0].shape[2] % 16:
        raise RuntimeError("no such size")


def test_the_same_seed_and_steps_give_the_same_file(photos: Path, tmp_path: Path):
    files = {name: tmp_path / f"{name}.safetensors" for name in ("first", "again", "other")}
    for name, file in files.items():
        fitted(photos, file, seed=int(name == "other"), steps=30)
    assert files["first"].read_bytes() == files["again"].read_bytes()
    assert not load_file(files["first"])["first.weight"].equal(load_file(files["other"])["first.weight"])


class Interrupt:
    """Presses Ctrl-C while step `number` runs."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, said: str) -> None:
        if said.startswith(f"step {self.number},"):
            signal.raise_signal(signal.SIGINT)


def test_what_was_interrupted_goes_on_to_the_same_result(photos: Path, tmp_path: Path):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    report = fitted(photos, whole)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        fitted(photos, parts, progress=Interrupt(37))
    (note,) = interrupt.value.__notes__
    state = tmp_path / "parts.state.safetensors"
    assert note.startswith("stopped after 37 steps, the best at 25: at least ")
    assert note.endswith(f" dB to the mix; kept in {state}: go on with the same command and --resume")
    assert not parts.exists()
    resumed = fitted(photos, parts, resume=True)
    assert parts.read_bytes() == whole.read_bytes()
    assert [look.to_mix_db for look in resumed.course] == [look.to_mix_db for look in report.course]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_fit_that_is_over_can_go_on_with_more_steps(photos: Path, tmp_path: Path):
    output = tmp_path / "c.safetensors"
    short = fitted(photos, output, steps=30)
    assert "falls short of the mix" in short.warnings[0]
    longer = fitted(photos, output, steps=STEPS, resume=True)
    assert longer.steps == STEPS
    assert longer.after.least_db > short.after.least_db
    assert longer.course[: len(short.course)] == short.course


def test_it_ends_when_the_minutes_are_over(photos: Path, tmp_path: Path):
    report = fitted(photos, tmp_path / "c.safetensors", steps=None, minutes=0.01)
    assert report.stopped == "the time was over"
    assert report.seconds >= 0.6
    assert report.after.least_db > report.before.least_db


def test_looks_at_what_was_held_out_take_of_the_minutes(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    look = Judge.look

    def slow(judge: Judge, put: Callable[[float], object]) -> list[Figures]:
        time.sleep(0.3)
        return look(judge, put)

    monkeypatch.setattr(Judge, "look", slow)
    report = fitted(photos, tmp_path / "c.safetensors", steps=None, minutes=0.01)
    assert report.steps <= 3 * Recipe().judge_every


def test_a_network_of_tiny_weights_learns_at_a_lower_rate(photos: Path, tmp_path: Path):
    """At the rate that suits most networks every step makes another one of its first layer."""
    network, a, b = apart()
    for weights in (a, b):
        weights["first.weight"] *= 0.0002
        weights["last.weight"] *= 5000
    report = fit([a, b], tmp_path / "c.safetensors", photos=photos, arch=network, steps=400, threads=1)
    decibels = [look.to_mix_db for look in report.course]
    assert max(decibels[1:9]) < decibels[0] - 5
    assert max(decibels[9:]) > decibels[0] + 3


def test_running_statistics_stay_on_the_straight_line_and_counters_are_those_of_a(photos: Path, tmp_path: Path):
    network, a, b = apart(norm=True)
    b["norm.running_mean"] += 0.01
    a["norm.num_batches_tracked"] += 7
    report = fit([a, b], tmp_path / "c.safetensors", photos=photos, arch=network, steps=25, threads=1)
    c = load_file(report.files[0])
    torch.testing.assert_close(c["norm.running_mean"], (a["norm.running_mean"] + b["norm.running_mean"]) / 2)
    assert c["norm.num_batches_tracked"] == a["norm.num_batches_tracked"]
    assert not c["norm.weight"].equal((a["norm.weight"] + b["norm.weight"]) / 2)


def test_pictures_before_and_after_are_shown(photos: Path, tmp_path: Path):
    rows: dict[str, Any] = {}
    report = fitted(photos, tmp_path / "c.safetensors", shown=lambda name, row: rows.update({name: list(row)}))
    assert list(rows) == list(dict.fromkeys(figures.photograph for figures in report.after.each))
    for row in rows.values():
        labels = [label for label, _ in row]
        assert labels == ["A", "0.75 fitted", "0.5 fitted", "0.25 fitted", "B", "A and B mixed, for 0.5", "0.5 before"]
        pictures = dict(row)
        away = {name: np.abs(pictures[name] - pictures["A and B mixed, for 0.5"]).mean() for name in labels}
        assert away["0.5 fitted"] < away["0.5 before"] / 2


def test_a_network_that_hides_its_weights_from_gradients_cannot_learn(photos: Path, tmp_path: Path):
    class Inference(TwoLayers):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return super().forward(x)

    _, a, b = apart()
    with pytest.raises(
        ArchitectureError, match=r"the network cannot learn \(.*\); give a version of it that can be tr"
    ):
        fit([a, b], tmp_path / "c.safetensors", photos=photos, arch=Inference(), steps=2, threads=1)
    assert list(tmp_path.iterdir()) == []


def test_a_lack_of_memory_is_called_one(photos: Path, tmp_path: Path):
    class Hungry(TwoLayers):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if torch.is_grad_enabled():
                torch.empty(2**60)
            return super().forward(x)

    _, a, b = apart()
    with pytest.raises(
        ArchitectureError, match=r"the network cannot learn \(.*memory.*\); it needs a few GB: end other"
    ):
        fit([a, b], tmp_path / "c.safetensors", photos=photos, arch=Hungry(), steps=2, threads=1)

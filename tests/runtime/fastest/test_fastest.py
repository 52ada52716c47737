"""provider="fastest": the file's own results from whichever engine, the engine that the race says, and once only.

Who wins is told by the test in most of them: which engine is fastest on the machine that runs it is nothing to assert.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from alpha_policies import ALPHAS, X, assert_same, each_policy, reference
from onnx_models import METADATA, baked, conv_stack, noise, picture, save, save_ort, unet
from onnxruntime.transformers.float16 import convert_float_to_float16

from dni_runtime import InputError, Model, load
from dni_runtime.fastest import deciding, opening
from dni_runtime.fastest.fastest import Fastest
from dni_runtime.fastest.race import Times
from dni_runtime.opening.runners import Pinning
from dni_runtime.prepared.laid_out import LaidOut
from dni_runtime.providers.openvino_session import OpenVinoSession

Outcome = Callable[..., list[list[str]]]


@pytest.fixture(autouse=True)
def _own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test finds out for itself."""
    monkeypatch.setenv("DNI_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Says what races measure, held and moving; returns who took part in each, as they are run."""
    races: list[list[str]] = []

    def told(held: Mapping[str, float], moving: Mapping[str, float], calm: bool = True) -> list[list[str]]:
        def race(ways: Mapping[str, Callable[[], object]]) -> Times:
            for run in ways.values():
                run()
            races.append([*ways])
            times = moving if len(races) % 2 == 0 else held
            return Times({name: times[name] for name in ways}, calm)

        monkeypatch.setattr(deciding, "race", race)
        return races

    return told


CPU_WINS, OPENVINO_WINS = {"cpu": 0.01, "openvino": 0.02}, {"cpu": 0.02, "openvino": 0.01}


def fastest(model: Model) -> Fastest:
    runner = model._runner
    assert isinstance(runner, Fastest)
    return runner


def open_engines(model: Model) -> set[str]:
    return set(fastest(model)._engines._runners)


# --- results ---


@each_policy
def test_a_real_race_and_the_results_of_the_file(policy: str, tmp_path: Path):
    proto = conv_stack()
    with load(save(proto, tmp_path / "model.onnx"), "fastest", alpha_policy=policy, threads=1) as model:
        assert (model.provider, model.metadata) == ("fastest", METADATA)
        assert model.provider_note.startswith(
            "fastest measures cpu and openvino, once for each size of image; ncnn takes no"
        )
        for alpha in (*ALPHAS, *ALPHAS):
            assert_same(model(X, alpha), reference(proto, alpha))
            assert model.settle()
            assert_same(model(X, alpha), reference(proto, alpha))
        assert "; images of about 2 of 23x23: " in model.alpha_note
        assert " ms), measured at 2 of 16x24" in model.alpha_note


def test_a_race_for_each_size_and_not_for_each_pixel_more(tmp_path: Path, outcome: Outcome):
    races = outcome(CPU_WINS, CPU_WINS)
    proto = unet()
    with load(save(proto, tmp_path / "model.onnx"), "fastest") as model:
        for shape, wanted in (
            ((1, 3, 32, 32), 2),
            ((1, 3, 28, 36), 2),
            ((2, 3, 32, 32), 4),
            ((1, 3, 64, 64), 6),
            ((1, 3, 32, 32), 6),
        ):
            assert_same(model(noise(*shape), 0.3), reference(proto, 0.3, noise(*shape)))
            assert len(races) == wanted
        assert "images of about 32x32: cpu (10.0 ms; openvino 20.0 ms), measured" in model.alpha_note
        assert "images of about 2 of 32x32: " in model.alpha_note


def test_images_in_tiles(tmp_path: Path, outcome: Outcome):
    outcome(OPENVINO_WINS, OPENVINO_WINS)
    path, image = save(conv_stack(scale=2), tmp_path / "model.onnx"), picture(90, 70, 3)
    with load(path, "fastest") as ours, load(path, "cpu") as other:
        got, wanted = (model.enhance(image, 0.3, tile=32) for model in (ours, other))
        assert np.abs(got.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("proto", [baked(0.3), conv_stack(alpha=0.3, metadata=None)])
def test_models_without_alpha_are_raced_once(proto: onnx.ModelProto, tmp_path: Path, outcome: Outcome):
    races = outcome(OPENVINO_WINS, {})
    with load(save(proto, tmp_path / "model.onnx"), "fastest") as model:
        for _ in range(3):
            assert_same(model(X), reference(conv_stack(), 0.3))
        assert races == [["cpu", "openvino"]]
        assert "while" not in model.alpha_note
        assert open_engines(model) == {"openvino"}


def test_half_models(tmp_path: Path, outcome: Outcome):
    outcome(OPENVINO_WINS, CPU_WINS)
    proto = conv_stack(features=24, metadata=replace(METADATA, dtype="float16"))
    path = save(convert_float_to_float16(proto, keep_io_types=False), tmp_path / "model.onnx")
    with load(path, "fastest") as model:
        for alpha in (*ALPHAS, ALPHAS[-1]):
            assert np.abs(model(X, alpha) - reference(proto, alpha)).max() < 2e-2


# --- who runs what ---


def test_the_engine_of_held_alphas_takes_over_when_it_is_ready_and_that_of_moving_ones_runs_till_then(
    tmp_path: Path, outcome: Outcome
):
    outcome(OPENVINO_WINS, CPU_WINS)
    proto = conv_stack(features=24)
    with load(save(proto, tmp_path / "model.onnx"), "fastest") as model:
        model(X, 0.9)
        runners = fastest(model)._engines._runners
        held, moving = runners["openvino"], runners["cpu"]
        assert isinstance(held, Pinning)
        assert isinstance(moving, LaidOut)
        ran: list[str] = []
        for name, runner in runners.items():
            note_calls(runner, name, ran)
        for alpha in (0.1, 0.2, 0.3, 0.3):
            assert_same(model(X, alpha), reference(proto, alpha))
        assert ran[:3] == ["cpu"] * 3
        assert model.settle()
        for alpha in (0.3, 0.4, 0.3):
            assert_same(model(X, alpha), reference(proto, alpha))
        assert ran[4:] == ["openvino", "cpu", "openvino"]
        assert isinstance(held._pins.get((0.3,)), OpenVinoSession)


@pytest.mark.parametrize(("policy", "engine"), [("dynamic", "cpu"), ("pinned", "openvino")])
def test_one_engine_runs_all_where_results_must_not_depend_on_the_calls_before(
    policy: str, engine: str, tmp_path: Path, outcome: Outcome
):
    """A film is made so: its frames are the same, whichever were made before them."""
    races = outcome(OPENVINO_WINS if policy == "pinned" else CPU_WINS, {})
    with load(save(conv_stack(), tmp_path / "model.onnx"), "fastest", alpha_policy=policy) as model:
        for alpha in (0.3, 0.5, 0.5, 0.3):
            assert_same(model(X, alpha), reference(conv_stack(), alpha))
        assert open_engines(model) == {engine}
        assert len(races) == 1
        assert "while" not in model.alpha_note


def note_calls(runner: Any, name: str, ran: list[str]) -> None:
    run = runner.run

    def noting(x: Any, alpha: Any) -> Any:
        ran.append(name)
        return run(x, alpha)

    runner.run = noting


def test_engines_that_lost_are_closed_and_opened_again_for_another_size(tmp_path: Path, outcome: Outcome):
    outcome(OPENVINO_WINS, OPENVINO_WINS)
    proto = conv_stack()
    with load(save(proto, tmp_path / "model.onnx"), "fastest") as model:
        assert open_engines(model) == {"cpu"}
        model(X, 0.3)
        assert open_engines(model) == {"openvino"}
        outcome(CPU_WINS, CPU_WINS)
        other = noise(1, 3, 64, 64)
        assert_same(model(other, 0.3), reference(proto, 0.3, other))
        assert open_engines(model) == {"cpu", "openvino"}


def test_large_images_are_decided_about_with_small_ones(
    tmp_path: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
):
    outcome(CPU_WINS, CPU_WINS)
    monkeypatch.setattr(deciding, "_CALL_S", 1e-9)
    proto, large = unet(), noise(1, 3, 128, 200)
    with load(save(proto, tmp_path / "model.onnx"), "fastest") as model:
        assert_same(model(large, 0.3), reference(proto, 0.3, large))
        assert "images of about 181x181: " in model.alpha_note
        assert "measured at 64x64" in model.alpha_note


def test_threads_that_come_at_once_wait_for_one_race(tmp_path: Path, outcome: Outcome):
    races = outcome(OPENVINO_WINS, CPU_WINS)
    proto = conv_stack()
    with load(save(proto, tmp_path / "model.onnx"), "fastest") as model:
        results: list[Any] = []
        threads = [threading.Thread(target=lambda a=a: results.append((a, model(X, a)))) for a in (*ALPHAS, *ALPHAS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(races) == 2
        assert len(results) == len(threads)
        for alpha, y in results:
            assert_same(y, reference(proto, alpha))


# --- who takes no part ---


def test_an_engine_with_other_results_takes_no_part(tmp_path: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch):
    """Wrong for larger images only: the size that is asked for is compared, not another."""
    races = outcome(OPENVINO_WINS, OPENVINO_WINS)
    run = OpenVinoSession.run

    def wrong(session: OpenVinoSession, outputs: Any, feed: Mapping[str, Any]) -> list[Any]:
        (y,) = run(session, outputs, feed)
        return [y + (y.shape[2] > 40) * np.float32(0.25)]

    monkeypatch.setattr(OpenVinoSession, "run", wrong)
    proto, large = conv_stack(), noise(1, 3, 64, 64)
    with load(save(proto, tmp_path / "model.onnx"), "fastest") as model:
        assert_same(model(X, 0.3), reference(proto, 0.3))
        assert_same(model(large, 0.3), reference(proto, 0.3, large))
        assert races == [["cpu", "openvino"]] * 2 + [["cpu"]] * 2
        assert "not openvino: its results are off by 2.5e-01" in model.alpha_note


def test_an_engine_that_cannot_be_opened_takes_no_part(
    tmp_path: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
):
    outcome(OPENVINO_WINS, OPENVINO_WINS)

    def fail(*_: Any) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(OpenVinoSession, "__init__", fail)
    with load(save(conv_stack(), tmp_path / "model.onnx"), "fastest") as model:
        assert_same(model(X, 0.3), reference(conv_stack(), 0.3))
        assert "not openvino: no memory" in model.alpha_note
        assert open_engines(model) == {"cpu"}


def test_without_another_engine_it_is_the_cpu_and_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opening, "why_not", lambda name: f'it is not installed: pip install "dni-deploy[{name}]"')
    with load(save(conv_stack(), tmp_path / "model.onnx"), "fastest") as model:
        assert isinstance(model._runner, LaidOut)
        assert model.provider == "cpu"
        assert model.provider_note.startswith(
            'fastest chose cpu; openvino takes no part: it is not installed: pip install "dni-deploy[openvino]"; ncnn'
        )
        assert_same(model(X, 0.3), reference(conv_stack(), 0.3))


def test_files_that_onnx_runtime_alone_reads(tmp_path: Path):
    with load(save_ort(conv_stack(), tmp_path / "model.ort"), "fastest") as model:
        assert model.provider == "cpu"
        assert "it reads .onnx files only" in model.provider_note
        assert_same(model(X, 0.3), reference(conv_stack(), 0.3))


def test_options_are_one_engines_own(tmp_path: Path):
    with pytest.raises(InputError, match=r"provider_options are {'device': 'CPU'}, but fastest takes none, .*leave"):
        load(save(conv_stack(), tmp_path / "model.onnx"), "fastest", provider_options={"device": "CPU"})


# --- what is remembered ---


def test_the_next_process_does_not_race(tmp_path: Path, outcome: Outcome):
    races = outcome(OPENVINO_WINS, CPU_WINS)
    path = save(conv_stack(), tmp_path / "model.onnx")
    notes = []
    for _ in range(2):
        with load(path, "fastest") as model:
            assert_same(model(X, 0.3), reference(conv_stack(), 0.3))
            assert_same(model(X, 0.3), reference(conv_stack(), 0.3))
            notes.append(model.alpha_note)
        assert model.alpha_note == notes[-1]
    assert len(races) == 2
    assert notes[0] == notes[1]


def test_what_a_busy_machine_finds_out_holds_for_this_process_alone(tmp_path: Path, outcome: Outcome):
    races = outcome(OPENVINO_WINS, CPU_WINS, calm=False)
    path = save(conv_stack(), tmp_path / "model.onnx")
    for number in (1, 2):
        with load(path, "fastest") as model:
            for _ in range(2):
                assert_same(model(X, 0.3), reference(conv_stack(), 0.3))
            assert "measured at 2 of 16x24 on a busy machine, so not remembered" in model.alpha_note
        assert len(races) == 2 * number


def test_a_cache_folder_that_cannot_be_used_is_told_of(
    tmp_path: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
):
    races = outcome(OPENVINO_WINS, CPU_WINS)
    path = save(conv_stack(), tmp_path / "model.onnx")
    for number, (folder, told) in enumerate(((tmp_path / "model.onnx" / "cache", True), ("", False)), 1):
        monkeypatch.setenv("DNI_CACHE_DIR", str(folder))
        with load(path, "fastest") as model:
            assert_same(model(X, 0.3), reference(conv_stack(), 0.3))
            assert ("nothing is kept between processes: the cache folder" in model.alpha_note) == told
        assert len(races) == 2 * number


@pytest.mark.parametrize("what", ["model", "threads", "policy"])
def test_something_else_is_found_out_anew(what: str, tmp_path: Path, outcome: Outcome):
    races = outcome(OPENVINO_WINS, CPU_WINS)
    path = save(conv_stack(), tmp_path / "model.onnx")
    with load(path, "fastest", threads=1) as model:
        model(X, 0.3)
    if what == "model":
        save(conv_stack(seed=1), path)
    changed = {"threads": {"threads": 2}, "policy": {"threads": 1, "alpha_policy": "dynamic"}}
    with load(path, "fastest", **changed.get(what, {"threads": 1})) as model:  # type: ignore[arg-type]
        model(X, 0.3)
    assert len(races) == (3 if what == "policy" else 4)


def test_what_is_remembered_is_compared_again_before_it_is_used(
    tmp_path: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
):
    outcome(OPENVINO_WINS, OPENVINO_WINS)
    path = save(conv_stack(), tmp_path / "model.onnx")
    with load(path, "fastest") as model:
        model(X, 0.3)
    run = OpenVinoSession.run
    monkeypatch.setattr(OpenVinoSession, "run", lambda *args: [y * np.float32(2) for y in run(*args)])
    with load(path, "fastest") as model:
        assert_same(model(X, 0.3), reference(conv_stack(), 0.3))
        assert open_engines(model) == {"cpu"}
        assert "not openvino: its results are off by" in model.alpha_note


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-5],
        lambda text: "[1, 2]",
        lambda text: text.replace('"key": "', '"key": "x'),
        lambda text: text.replace('"openvino"', '"another"'),
        lambda text: text.replace("0.01", "-1.0"),
        lambda text: text.replace("0.01", "NaN"),
        lambda text: text.replace("true", "[]"),
    ],
)
def test_damaged_memories_are_none(damage: Callable[[str], str], tmp_path: Path, outcome: Outcome, _own_memory: Path):
    races = outcome(OPENVINO_WINS, CPU_WINS)
    path = save(conv_stack(), tmp_path / "model.onnx")
    with load(path, "fastest") as model:
        model(X, 0.3)
    (kept,) = _own_memory.glob("fastest-*.json")
    assert kept.stat().st_mode & 0o077 == 0
    whole = kept.read_text()
    kept.write_text(damage(whole))
    for _ in range(2):
        with load(path, "fastest") as model:
            assert_same(model(X, 0.3), reference(conv_stack(), 0.3))
    assert len(races) == 4
    assert json.loads(kept.read_text()) == json.loads(whole)


def test_without_a_cache_every_process_finds_out(tmp_path: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DNI_CACHE_DIR", "")
    races = outcome(OPENVINO_WINS, CPU_WINS)
    path = save(conv_stack(), tmp_path / "model.onnx")
    for _ in range(2):
        with load(path, "fastest") as model:
            assert_same(model(X, 0.3), reference(conv_stack(), 0.3))
    assert len(races) == 4

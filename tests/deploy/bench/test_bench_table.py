"""The tables of a benchmark are whole on a terminal of 80 columns, and say what is no equal."""

import pytest

from dni_deploy.bench import Case, Report, print_report
from dni_deploy.bench.measuring.footprint import Footprint
from dni_deploy.bench.measuring.hardware import hardware
from dni_deploy.bench.report import ModelFacts, Rounds, make_row

ROUNDS = Rounds(
    held=[{"baked file": 0.010, "dni-runtime": 0.0101, "output mixing": 0.020}] * 3,
    moving=[{"baked file": 0.010, "dni-runtime": 0.0104, "output mixing": 1.9876}] * 3,
)


def case() -> Case:
    rows = [
        make_row(name, exact=name != "output mixing", difference=0.031, rounds=ROUNDS, full_speed_s=[],
                 reference="baked file", changes=name != "baked file", note="pinned" if name == "dni-runtime" else "")
        for name in ("baked file", "dni-runtime", "output mixing")
    ]  # fmt: skip
    return Case("net.onnx", 64, 48, 2, "cpu", "float32", (0.3,), 1e-5, tuple(rows), ROUNDS, {})


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    weights = Footprint("baked file", 0.5, 0.25, 0.01, None, 2_000_000, 3_000_000, 0)
    print_report(Report(hardware(), (case(),), (ModelFacts("net.onnx", 10, 5, (64, 48), (weights,)),), ("a note",)))
    return capsys.readouterr().out


def test_every_number_is_on_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    lines = [line.split() for line in printed(capsys, monkeypatch).splitlines()]
    assert ["baked", "file", "10.0", "10.0", "1.00"] in lines
    assert ["dni-runtime", "10.1", "10.1", "1.01", "10.4", "1.04"] in lines
    assert ["output", "mixing", "*", "20.0", "20.0", "2.00", "1987.6", "198.76"] in lines
    assert ["baked", "file", "0.50", "s", "0.25", "s", "0.01", "s", "unmeasured", "2.0", "MB", "3.0", "MB"] in lines


def test_remarks_and_hardware_are_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    out = printed(capsys, monkeypatch)
    assert "net.onnx, 64 x 48, 2 thread(s), cpu, float32" in out
    assert "* output mixing is another result, off by 0.031 of the largest output\n" in out
    assert "dni-runtime: pinned\n" in out
    assert hardware().processor in out and "a note\n" in out

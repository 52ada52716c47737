"""The rows of the table of architectures: all of spandrel's, and weights under which every layer matters."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from spandrel import MAIN_REGISTRY

import dni_deploy
from tests.support.suite.benchmark_scripts import scripts


def test_every_architecture_of_spandrel_has_a_row_of_its_own_name_and_all_rows_their_own() -> None:
    with scripts("coverage", ["rows"]) as benchmark:
        rows = benchmark.rows.ROWS
        known = {support.architecture.id for support in MAIN_REGISTRY}
        assert known <= rows.keys() and len(rows) > 2 * len(known) + 10
        assert {row.architecture for row in rows.values()} == known | {None}
        assert all(row.name == name for name, row in rows.items())
        assert {row.name for row in rows.values() if row.refused} == {"AuraSR", "LaMa"}


def test_the_page_on_networks_names_all_of_them() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "networks.md").read_text()
    named = set(re.findall(r"\w+", text))
    assert {support.architecture.id for support in MAIN_REGISTRY} <= named
    assert f"All {len(MAIN_REGISTRY)} architectures" in text and version("spandrel") in text


@pytest.mark.parametrize("name", ["NAFNet", "SPAN", "DnCNN", "ESRGAN-real", "paper-pix2pix-6"])
def test_weights_are_a_networks_own_and_none_is_constant(name: str) -> None:
    with scripts("coverage", ["rows"]) as benchmark:
        row = benchmark.rows.ROWS[name]
        (a, b), again = row.endpoints(), row.endpoints()
        assert a.keys() == b.keys()
        for key, tensor in a.items():
            assert tensor.equal(again[0][key]) and b[key].equal(again[1][key]), f"{key} is drawn anew"
            if tensor.is_floating_point() and tensor.numel() > 1:
                assert tensor.std() > 0, f"{key} is constant"
                assert not tensor.equal(b[key]), f"{key} is alike in A and B"


def test_a_file_of_other_weights_is_found_out_by_pixels_and_in_bytes(tmp_path: Path) -> None:
    with scripts("coverage", ["rows", "steps"]) as benchmark:
        case = benchmark.steps.Case(benchmark.rows.ROWS["Compact"], tmp_path)
        assert benchmark.steps.export(case)["dims"] == ["N", 3, "H", "W"]
        assert benchmark.steps.parity(case)["ok"]
        assert benchmark.steps.enhance(case)["max"] == 0
        dni_deploy.export(case.files[::-1], case.model, alpha_input=True, verdict=False, force=True)
        found = benchmark.steps.parity(case)
        assert not found["ok"] and found["worst"] > 100 * benchmark.steps.BOUND
        assert benchmark.steps.enhance(case)["max"] > 0


def test_results_go_on_and_those_of_an_earlier_file_are_dropped(tmp_path: Path) -> None:
    file = tmp_path / "coverage.jsonl"
    with scripts("coverage", ["results", "page"]) as benchmark:
        kept = benchmark.results.Results(file)
        kept.add("SwinIR", {"step": "export", "seconds": 1.0, "ok": False, "error": "no <file>"})
        kept.add("SwinIR", {"step": "parity", "seconds": 1.0, "ok": True, "worst": 0.0})
        kept.add("AuraSR", {"step": "refused", "seconds": 1.0, "ok": True, "message": "it draws", "within_s": 0.1})
        again = benchmark.results.Results(file)
        assert again.lines == kept.lines and again.has("SwinIR", "export") and not again.has("SwinIR", "speed")
        text = benchmark.page.page(again.lines, again.machine)
        assert "- SwinIR, export: no &lt;file>" in text and "1 are refused (AuraSR)" in text
        assert benchmark.page.failures(again.lines) == [("SwinIR", "export", "no <file>")]
        again.add("SwinIR", {"step": "export", "seconds": 1.0, "ok": True})
        assert not benchmark.results.Results(file).has("SwinIR", "parity")

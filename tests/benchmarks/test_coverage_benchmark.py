"""The rows of the table of architectures: all of spandrel's, and weights under which every layer matters."""

import pytest
from spandrel import MAIN_REGISTRY

from tests.support.suite.benchmark_scripts import scripts


def test_every_architecture_of_spandrel_has_a_row_of_its_own_name_and_all_rows_their_own() -> None:
    with scripts("coverage", ["rows"]) as benchmark:
        rows = benchmark.rows.ROWS
        known = {support.architecture.id for support in MAIN_REGISTRY}
        assert known <= rows.keys() and len(rows) > 2 * len(known) + 10
        assert {row.architecture for row in rows.values()} == known | {None}
        assert all(row.name == name for name, row in rows.items())
        assert {row.name for row in rows.values() if row.refused} == {"AuraSR", "LaMa"}


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

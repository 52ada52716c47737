"""Imports without searches for garbage: a host's collector is afterwards as it was."""

import gc

import pytest

from dni_exporters.extra import heavy_imports


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(enabled: bool):
    before = gc.isenabled()
    try:
        gc.enable() if enabled else gc.disable()
        with pytest.raises(ImportError), heavy_imports():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() == enabled
    finally:
        gc.enable() if before else gc.disable()

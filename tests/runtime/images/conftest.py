"""Loaded networks to give images to."""

from dataclasses import replace

import pytest
from onnx_models import METADATA, conv_stack, save, unet

from dni_runtime import load, write_metadata


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Every kind of network, loaded once."""
    protos = {
        "rgb": conv_stack(),
        "grey": conv_stack(channels=1, metadata=replace(METADATA, color="L")),
        "double": conv_stack(scale=2),
        "grey double": conv_stack(channels=1, scale=2),
        "half": conv_stack(scale=0.5),
        "unet": unet(),
        "fixed": conv_stack(shape=(1, 40, 56)),
        "fixed grey": conv_stack(channels=1, shape=(1, 32, 32)),
        "signed": conv_stack(metadata=replace(METADATA, value_range=(-1.0, 1.0))),
        "bytes": conv_stack(metadata=replace(METADATA, value_range=(0.0, 255.0))),
        "many": conv_stack(channels=5),
        "pairs": conv_stack(shape=(2, "H", "W")),
        "no scale": conv_stack(),
        "silent": conv_stack(scale=2, metadata=None),
    }
    write_metadata(protos["no scale"], replace(METADATA, scale=None))
    folder = tmp_path_factory.mktemp("enhance")
    loaded = {name: load(save(proto, folder / f"{name}.onnx"), "cpu") for name, proto in protos.items()}
    yield loaded
    for model in loaded.values():
        model.close()

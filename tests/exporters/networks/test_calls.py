"""What a file is to compute of each network that spandrel computes something around."""

import pytest
import torch
from benchmark_scripts import scripts
from exporting import assert_close, photo
from spandrel import ImageModelDescriptor, ModelLoader

from dni_exporters import read_endpoints
from dni_exporters.networks.architecture import build
from dni_exporters.networks.known.calls import call_of
from dni_exporters.networks.original import original_of
from dni_exporters.networks.probe import run_on

CALLED = ("DRUNet", "FBCNN", "FDnCNN", "IPT", "MixDehazeNet", "MMRealSR", "RCAN", "RestoreFormer", "RetinexFormer")


@pytest.mark.parametrize("name", CALLED)
def test_networks_compute_what_spandrel_computes_around_them(name: str):
    """What is traced, what judges it, and spandrel's own call; an image stays as it is (RCAN works in it)."""
    with scripts("coverage", ["rows"]) as benchmark:
        state, _ = benchmark.rows.ROWS[name].endpoints()
    (checkpoint,), _ = read_endpoints([state])
    architecture = build("auto", checkpoint)
    image = photo(2, architecture.channels or 3, 64, 64)
    theirs = ModelLoader().load_from_state_dict(dict(state)).eval()
    assert isinstance(theirs, ImageModelDescriptor)
    with torch.inference_mode():
        wanted = torch.cat([theirs._call_fn(theirs.model, each) for each in torch.tensor(image)[:, None]]).numpy()
    before = image.copy()
    for run in (architecture.network, original_of("auto", [checkpoint], architecture).run):
        assert_close(run_on(run, image), wanted)
        assert (image == before).all()


def test_a_retinexformer_runs_wide_images_as_any_others():
    """spandrel runs every other column apart from 3000 pixels on, which makes another picture."""
    with scripts("coverage", ["rows"]) as benchmark:
        state, _ = benchmark.rows.ROWS["RetinexFormer"].endpoints()
    theirs = ModelLoader().load_from_state_dict(dict(state)).eval()
    assert isinstance(theirs, ImageModelDescriptor)
    image = torch.from_numpy(photo(1, 3, 8, 3008))
    with torch.inference_mode():
        judged = call_of(theirs, "it", None).judged(theirs.model, image)
        assert judged.equal(theirs.model(image))
        assert float((theirs._call_fn(theirs.model, image) - judged).abs().max()) > 0.01

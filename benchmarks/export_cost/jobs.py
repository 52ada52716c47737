"""The endpoints, the three jobs that are measured, and the check that they made the same."""

import resource
import time
from pathlib import Path

JOBS = ("one endpoint", "alpha-input", "11 baked")
YARDSTICK = JOBS[0]


def make_endpoints(name: str, folder: Path) -> None:
    """Write the state dicts A.pth and B.pth of a network with its default initialisation; B is A with 20 % noise."""
    import torch
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact
    from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

    torch.manual_seed(0)
    if name == "RRDBNet-23":
        network: torch.nn.Module = RRDBNet(in_nc=3, out_nc=3, num_filters=64, num_blocks=23, scale=4)
    else:
        network = SRVGGNetCompact(num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=32, upscale=4)
    a = network.state_dict()
    b = {key: tensor + 0.2 * tensor.std(correction=0) * torch.randn_like(tensor) for key, tensor in a.items()}
    torch.save(a, folder / "A.pth")
    torch.save(b, folder / "B.pth")


def run_job(job: str, folder: Path) -> dict[str, float]:
    """Do one job in this process; return seconds and peak bytes."""
    import onnxscript.optimizer  # noqa: F401  (imported lazily by both sides: keep it out of the times)
    import torch
    from spandrel import ModelLoader

    import dni_exporters.making.steps

    endpoints = [folder / "A.pth", folder / "B.pth"]
    if job == YARDSTICK:
        network = ModelLoader(device="cpu").load_from_file(endpoints[0]).model.eval()
        dynamic = torch.export.Dim.DYNAMIC
        started = time.perf_counter()
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, 16, 17),),
            folder / "yardstick.onnx",
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=["input"],
            output_names=["output"],
            dynamic_shapes=({0: dynamic, 2: dynamic, 3: dynamic},),
        )
    elif job == "alpha-input":
        started = time.perf_counter()
        dni_exporters.export(endpoints, folder / "alpha-input.onnx", alpha_input=True, force=True)
    else:
        started = time.perf_counter()
        dni_exporters.export(endpoints, folder / "baked", alphas=[i / 10 for i in range(11)], force=True)
    seconds = time.perf_counter() - started
    # Linux counts in KiB.
    return {"seconds": seconds, "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def assert_equal(folder: Path) -> float:
    """The largest difference between the yardstick's output and ours at alpha 1; fails beyond 1e-5."""
    import numpy as np

    import dni_runtime

    x = np.random.default_rng(1).random((1, 3, 24, 20), np.float32)
    with dni_runtime.load(folder / "yardstick.onnx") as model:
        wanted = model(x)
    largest = 0.0
    for name, alpha in (("alpha-input.onnx", 1.0), ("baked/alpha-1.0.onnx", None)):
        with dni_runtime.load(folder / name) as model:
            largest = max(largest, float(np.abs(model(x, alpha) - wanted).max()))
    assert largest <= 1e-5 * max(1.0, float(np.abs(wanted).max())), f"outputs differ by {largest}"
    return largest

"""The same on a GPU, in float32 and float16, with CUDA graphs. Written for one, and not run on one yet."""

from collections.abc import Callable, Sequence
from pathlib import Path

from cuda_graph import ALPHA_GRAPH, BAKED_GRAPH, CudaGraph
from four_networks import NETWORKS, write_files
from pytorch import COMPILED, EAGER, PyTorch

from dni_deploy.bench import Approach, Case, Plan, line_up, run_case
from dni_deploy.bench.lineup import BAKED, NAIVE, OURS

CUDA_NOTE = "No GPU was at hand: the part on CUDA (float32, float16, CUDA graphs) is written, and was not run."

# Large enough that a call is more than its launches.
_SIZE = 256


def cuda_cases(names: Sequence[str], folder: Path, plan: Plan, say: Callable[[str], None]) -> list[Case]:
    """One case for each network and dtype."""
    return [_case(name, dtype, folder, plan, say) for name in names for dtype in ("float32", "float16")]


def _case(name: str, dtype: str, folder: Path, plan: Plan, say: Callable[[str], None]) -> Case:
    place = folder / f"{name}-cuda-{dtype}"
    files = write_files(NETWORKS[name].build, place, dtype)
    lineup = line_up(files.model, place, None, "cuda")
    scale = lineup.metadata.scale or 1.0
    baked = lineup.approach(BAKED)
    checkpoints = (files.a, files.b)
    others: list[Approach] = [
        CudaGraph(name=BAKED_GRAPH, files=baked.files, strengths=baked.strengths, scale=scale),
        CudaGraph(name=ALPHA_GRAPH, files=lineup.approach(NAIVE).files, scale=scale),
        PyTorch(name=EAGER, files=checkpoints, network=name, device="cuda", dtype=dtype),
        PyTorch(name=COMPILED, files=checkpoints, network=name, device="cuda", dtype=dtype, compile=True),
    ]

    def progress(step: str) -> None:
        say(f"{name} on CUDA, {dtype}: {step}")

    core = (BAKED, OURS, BAKED_GRAPH, ALPHA_GRAPH, COMPILED)
    approaches = (*lineup.approaches, *others)
    return run_case(name, lineup, approaches, (1, 3, _SIZE, _SIZE), None, "cuda", plan, progress, core)

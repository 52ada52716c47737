"""Many images, each with an alpha of its own maybe: here or over a Ray cluster, going on where a run stopped.

    job = Job(MadeWith(model=path), model_digest(path), Path("out"))
    planned = plan_frames(model, [Path("frames")], Path("out"), Path("alphas.csv"))
    results = enhance_frames(planned, find_finished(planned, job), make_here(model, job))

`MadeWith` is that of `photographs`, `model` what its `load()` gives; `make_on_ray` takes the place of `make_here` for a
cluster.
"""

from .enhance_frames import enhance_frames, find_finished, make_here, plan_frames
from .finished import Job, model_digest
from .on_ray import make_on_ray
from .sidecar import read_sidecar

__all__ = [
    "Job",
    "enhance_frames",
    "find_finished",
    "make_here",
    "make_on_ray",
    "model_digest",
    "plan_frames",
    "read_sidecar",
]

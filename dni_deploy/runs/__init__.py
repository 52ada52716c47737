"""What `dni run` does: one object says what it is asked to be, and all that can be refused is refused before the work.

    job = RunJob(model=Path("model.onnx"), inputs=[Path("photos")], output=Path("out"), alphas=[0.7])
    results = run(job, Terminal(sys.stderr))

Photographs are made by `photographs`; what goes on where it was interrupted, with a table of alphas or over a cluster,
by `frames`.
"""

from .job import RunJob
from .results_sheet import write_sheet
from .run import run
from .streams import STANDARD, on_files

__all__ = ["STANDARD", "RunJob", "on_files", "run", "write_sheet"]

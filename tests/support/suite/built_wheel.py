"""Building the wheel as a user gets it, and all that it brings along."""

import sys
from pathlib import Path

from commands import process

ROOT = Path(__file__).parents[3]
CONSTRAINTS = ROOT / "constraints.txt"

# All that is installed, and who asks for it. One more is a choice that every small device pays for.
INSTALLED = {
    "dni-deploy",
    "click", "rich", "markdown-it-py", "mdurl", "Pygments",  # the command line; the last three are rich's
    "numpy",
    "onnx", "ml_dtypes", "protobuf", "typing_extensions",  # files; the last three are onnx's
    "onnxruntime", "flatbuffers", "packaging",  # the last two are onnxruntime's (-gpu on x86-64)
    "pillow",  # images
    "platformdirs",  # where caches go
}  # fmt: skip


def build_wheel(folder: Path) -> Path:
    """Made from this tree by the build backend."""
    program = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    name = process([sys.executable, "-c", program, str(folder)], cwd=ROOT).assert_ok().out.split()[-1]
    return folder / name

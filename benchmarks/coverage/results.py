"""The results as they are kept: a line of JSON for each row and step, and of several the last one."""

import functools
import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from steps import ON_FILE

from dni_deploy.bench.measuring.hardware import Hardware, hardware

_PACKAGES = ("dni-deploy", "numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "onnxscript", "spandrel", "torch")
Line = dict[str, Any]


class Results:
    """What is in `file`, by row and step; `add` writes at once, so that a run can be stopped anywhere."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.lines: dict[tuple[str, str], Line] = {}
        self.machine = hardware(_PACKAGES)
        for text in file.read_text().splitlines() if file.exists() else ():
            line = json.loads(text)
            if "machine" in line:
                self.machine = Hardware(**line["machine"])
            else:
                self.lines[line["row"], line["step"]] = line

    def has(self, row: str, step: str) -> bool:
        """Whether this commit has done it."""
        return (row, step) in self.lines and self.lines[row, step]["revision"] == revision()

    def add(self, row: str, line: Line) -> None:
        self.machine = hardware(_PACKAGES)
        if line["step"] == "export":  # what was found of an earlier file is no longer so
            for step in ON_FILE:
                self.lines.pop((row, step), None)
        self.lines[row, line["step"]] = {"row": row, "revision": revision(), **line}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        texts = [{"machine": asdict(self.machine)}, *self.lines.values()]
        unfinished = self._file.with_suffix(".unfinished")
        unfinished.write_text("".join(json.dumps(each) + "\n" for each in texts))
        unfinished.replace(self._file)


@functools.cache
def revision() -> str:
    """Of the code that is tried, which need not be that of this file."""
    import dni_deploy

    where = Path(dni_deploy.__file__).parents[1]
    command = ["git", "-C", str(where), "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"

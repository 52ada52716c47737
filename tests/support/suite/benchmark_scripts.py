"""Benchmarks are scripts in folders, no packages: their modules for a test, and nothing left behind."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@contextmanager
def scripts(name: str, modules: Sequence[str]) -> Iterator[Any]:
    """`modules` of the benchmark `name` as attributes; several benchmarks have files of the same name."""
    path, before = list(sys.path), dict(sys.modules)
    theirs = {file.stem for file in BENCHMARKS.glob("*/*.py")}
    for other in theirs & before.keys():
        del sys.modules[other]
    sys.path.insert(0, str(BENCHMARKS / name))
    try:
        yield SimpleNamespace(**{module: __import__(module) for module in modules})
    finally:
        sys.path[:] = path
        for module in theirs:
            sys.modules.pop(module, None)
        sys.modules.update({module: before[module] for module in theirs & before.keys()})

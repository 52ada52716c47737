"""A folder of frames, a table with an alpha for each, and what all ways to run them have to give."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from commands import Result, dni
from onnx_models import conv_stack, picture, save
from photographs import save_image

from dni_deploy.frames.finished import FOLDER
from dni_deploy.image_files.read_write import read_image
from dni_runtime import load


@dataclass(frozen=True)
class Frames:
    """`count` frames of `size` pixels in `folder`/frames; frame i has alpha i / count in `folder`/alphas.csv."""

    folder: Path
    count: int

    @classmethod
    def make(cls, folder: Path, count: int, size: tuple[int, int] = (24, 32)) -> "Frames":
        save(conv_stack(), folder / "model.onnx")
        for index in range(count):
            save_image(folder / "frames" / f"{index:04d}.png", picture(*size, 3, seed=index))
        frames = cls(folder, count)
        frames.write_table({name: index / count for index, name in enumerate(frames.names)})
        return frames

    @property
    def names(self) -> list[str]:
        return [f"{index:04d}.png" for index in range(self.count)]

    @property
    def model(self) -> Path:
        return self.folder / "model.onnx"

    @property
    def table(self) -> Path:
        return self.folder / "alphas.csv"

    def write_table(self, alphas: dict[str, float]) -> None:
        self.table.write_text("file,alpha\n" + "".join(f"{name},{alpha}\n" for name, alpha in alphas.items()))

    def arguments(self, output: Path, *options: object) -> list[object]:
        # On one thread: sums of another order may round differently.
        inputs = ["run", self.model, self.folder / "frames", "--alpha-from", self.table, "--threads", "1"]
        return [*inputs, "-o", output, *options]

    def run(self, output: Path, *options: object) -> Result:
        return dni(*self.arguments(output, *options))

    def start(self, output: Path, *options: object) -> "subprocess.Popen[bytes]":
        """The same in a process of its own that goes on by itself; what it says on stderr goes to OUTPUT.err."""
        command = [str(Path(sys.executable).with_name("dni")), *map(str, self.arguments(output, *options))]
        with output.with_name(f"{output.name}.err").open("wb") as errors:
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=os.environ)


def results(output: Path) -> dict[str, bytes]:
    """All files in `output` by their names, hidden ones too, but for the lists of what was finished."""
    return {path.name: path.read_bytes() for path in output.iterdir() if path.name != FOLDER}


def assert_made(frames: Frames, output: Path) -> None:
    """Every frame once, as the runtime itself makes it, and nothing else."""
    assert sorted(results(output)) == frames.names
    with load(frames.model, "cpu", threads=1) as model:
        for index, name in enumerate(frames.names):
            expected = model.enhance(read_image(frames.folder / "frames" / name), index / frames.count)
            np.testing.assert_array_equal(read_image(output / name), expected)

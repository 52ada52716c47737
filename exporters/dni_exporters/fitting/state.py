"""A fit that is not over, as a file beside its output: what to go on from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
from torch import Tensor

from dni_exporters.checkpoints.stored import save_safetensors
from dni_runtime import CheckpointError
from dni_runtime.files.unfinished import staging

from .course import Course

_KEY = "dni.fit"


@dataclass(frozen=True, slots=True)
class State:
    """made_of: what has to be the same for the result to be that of one uninterrupted fit."""

    made_of: dict[str, Any]
    course: Course
    tensors: dict[str, Tensor]

    def write(self, path: Path) -> None:
        """Write it whole or not at all. Raises OutputError."""
        text = json.dumps({"made_of": self.made_of, "course": self.course.to_dict()})
        with staging(path.parent, path) as folder:
            save_safetensors(folder / path.name, self.tensors, {_KEY: text})
            (folder / path.name).replace(path)


def read_state(path: Path, made_of: dict[str, Any], shape: tuple[int, ...]) -> State:
    """The state in `path`, of a fit of learnt points of `shape`.

    Raises CheckpointError where it cannot be read, or is one of another fit.
    """
    shapes = {**dict.fromkeys(("learnt", "smooth", "best", "adam.exp_avg", "adam.exp_avg_sq"), shape), "adam.step": ()}
    try:
        with safetensors.safe_open(path, "pt") as file:
            data = json.loads((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
        state = State(data["made_of"], Course.from_dict(data["course"]), tensors)
        others = [name for name, wanted in made_of.items() if state.made_of.get(name) != wanted]
        # Of another fit the learnt points may have another shape, and are whole all the same.
        torn = not others and any(tuple(tensors[name].shape) != its for name, its in shapes.items())
        if torn or not state.course.looks:
            raise ValueError("it is incomplete")
    except Exception as error:  # damaged bytes fail as anything
        raise CheckpointError(
            f"{path} is no state of a fit ({error}); remove it, and leave --resume out to begin anew"
        ) from None
    for name in others:
        raise CheckpointError(
            f"{path} is the state of another fit: {name} is {state.made_of.get(name)} there, {made_of[name]} here; "
            "give what was given then, or leave --resume out to begin anew"
        )
    return state

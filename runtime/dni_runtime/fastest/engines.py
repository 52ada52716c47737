"""The engines that may run a model, each opened when it is first asked for, and closed when others are faster."""

import contextlib
from collections.abc import Callable, Iterable, Mapping

from dni_runtime.alpha import Key
from dni_runtime.onnx_files.explaining import first_line
from dni_runtime.opening.runners import Pinning, Runner


class Engines:
    """Runners by the name of their engine. Not for several threads at once.

    names:   of those that are installed, the one that is always there first.
    refused: by name, why one cannot run the model.
    takes:   by name, whether images of a height and width are taken, for those that take fewer sizes than the model.

    `open_engine(name)` makes a runner, which gives the file's own results for a small image, or raises.
    """

    def __init__(
        self,
        names: Iterable[str],
        open_engine: Callable[[str], Runner],
        first: Runner,
        takes: Mapping[str, Callable[[int, int], bool]],
    ) -> None:
        self.names = (*names,)
        self.refused: dict[str, str] = {}
        self.takes = takes
        self._open = open_engine
        self._runners = {self.names[0]: first}

    def fit(self, height: int, width: int) -> bool:
        """Whether all of them take images of this size."""
        return all(takes(height, width) for takes in self.takes.values())

    def get(self, name: str) -> Runner | None:
        """The runner of the engine `name`; None where it cannot run the model, and `refused` says why."""
        if name not in self._runners and name not in self.refused:
            try:
                self._runners[name] = self._open(name)
            except Exception as error:  # of an engine, of the disk: it takes no part, and the note says so
                self.refused[name] = first_line(error)
        return self._runners.get(name)

    def keep(self, names: Iterable[str]) -> None:
        """Close all but those of `names`."""
        for name in self._runners.keys() - set(names):
            runner = self._runners.pop(name)
            with contextlib.suppress(Exception):
                runner.close()

    def close(self) -> None:
        """Close all; calls that are running finish."""
        self.keep(())


def settle(runner: Runner, alpha: Key | None, timeout_s: float | None) -> bool:
    """Have `runner` run `alpha` as fast as it will, and wait for that; False if it did not come about in time."""
    return not isinstance(runner, Pinning) or alpha is None or runner.hold(alpha, timeout_s)

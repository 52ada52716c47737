"""The weights of a few alphas, ready to use: blended on first use, kept while there is room."""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from dni_runtime.alpha import Key

from .flat_weights import Slice, flat_array

# So many alphas of the past are known again when they come back.
_REMEMBERED = 256


@dataclass(slots=True)
class WeightSet:
    """A flat array of weights and its slices as ONNX Runtime's values, by the body's input names.

    bindings:  by session, ONNX Runtime's bindings to these values that no call is using; making one takes a while.
    filling:   by session, what blends them.
    users:     calls that are running with it; it is not overwritten before there are none.
    on_trial:  whether the next new alpha may have its memory.
    """

    flat: npt.NDArray[np.float32]
    values: dict[str, Any]
    bindings: defaultdict[Any, list[Any]] = field(default_factory=lambda: defaultdict(list))
    filling: dict[Any, Any] = field(default_factory=dict)
    users: int = 0
    blended: bool = False
    on_trial: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)


class WeightSets:
    """Weight sets by alpha, the longest unused one given up first. Threads may share it.

    An alpha gets a set of its own, to be kept, when it comes back after others. Until then it is on trial and
    the next new one takes its memory over: an alpha that moves for good would otherwise fill all room with
    weights that nobody asks for again, and pay for fresh memory with every call (16 % of a DnCNN's time).

    `size` is that of a set's flat array, in float32. `limit_bytes` bounds what is kept between calls, but for one set,
    which is kept always; while several calls run with different alphas, each has its own set.
    """

    def __init__(self, size: int, slices: tuple[Slice, ...], limit_bytes: int) -> None:
        self._size = size
        self._slices = [s for s in slices if not s.fixed]
        self._limit = max(1, limit_bytes // max(1, size * 4))
        self._sets: OrderedDict[Key, WeightSet] = OrderedDict()
        self._seen: OrderedDict[Key, None] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def use(self, alpha: Key, blend: Callable[[Key, WeightSet], None]) -> Iterator[WeightSet]:
        """The weights for `alpha`, blended if they have to be; valid inside the with block.

        `blend(alpha, weights)` fills the flat array of a set; no other call does so meanwhile. It is not kept: whoever
        has both the sets and it would never be freed but by a search for garbage.
        """
        with self._lock:
            chosen = self._sets.get(alpha)
            if chosen is None:
                comes_back = alpha in self._seen
                chosen = self._take_over(comes_back) or self._make()
                chosen.on_trial = not comes_back
            self._remember(alpha)
            self._sets[alpha] = chosen
            self._sets.move_to_end(alpha)
            chosen.users += 1
        try:
            with chosen.lock:  # whoever comes second with a new alpha waits for the first to blend
                if not chosen.blended:
                    blend(alpha, chosen)
                    chosen.blended = True
            yield chosen
        finally:
            with self._lock:
                chosen.users -= 1
                if not chosen.blended and self._sets.get(alpha) is chosen:
                    del self._sets[alpha]
                for key in [key for key, kept in self._sets.items() if not kept.users]:
                    if len(self._sets) > self._limit:
                        del self._sets[key]

    def clear(self) -> None:
        """Forget the sets that no call is using."""
        with self._lock:
            for key in [key for key, kept in self._sets.items() if not kept.users]:
                del self._sets[key]

    def _take_over(self, comes_back: bool) -> WeightSet | None:
        """A set that no call is using: one on trial for a new alpha; where there is no more room, the oldest."""
        full = len(self._sets) >= self._limit
        for key, kept in self._sets.items():
            if not kept.users and (full or (kept.on_trial and not comes_back)):
                del self._sets[key]
                kept.blended = False
                return kept
        return None

    def _remember(self, alpha: Key) -> None:
        self._seen[alpha] = None
        self._seen.move_to_end(alpha)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def _make(self) -> WeightSet:
        flat = flat_array(self._size)
        values = {}
        for s in self._slices:
            count = int(np.prod(s.shape))
            values[s.name] = onnxruntime.OrtValue.ortvalue_from_numpy(flat[s.start : s.start + count].reshape(s.shape))
        return WeightSet(flat, values)

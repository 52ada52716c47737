"""One case: all ways to run one network in one precision on an image of one size, checked, then timed in rounds."""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import names
import numpy as np
import torch
from endpoints import blend, build
from lineup import Lineup, Record, picture
from ort_ways import BareSession
from torch_ways import Blended
from way import ALPHA, Device, FloatArray, Way, new_alphas

from dni_deploy.bench.measuring.race import Effort, race
from dni_runtime import pin

# A difference, divided by the larger of 1 and the largest value: between approaches on the device, and to PyTorch on a
# CPU in float32.
AGREE = {"float32": 1e-4, "float16": 2e-2}
AGREE_WITH_CPU = {"float32": 1e-5, "float16": 2e-2}
_OTHER_ALPHA = 0.8
_COPIES = 20
# Large images of a large network take more than their share of the time already.
_FEWEST = 3

Entries = Mapping[str, Callable[[], float]]
_OURS = (names.OURS, names.OURS_NEW, names.OURS_BIAS, names.OURS_BIAS_NEW)
NEW = {name: name + names.MOVING for name in (names.OURS, names.OURS_BIAS, names.EAGER, names.TORCH_GRAPH)}


def run_case(lineup: Lineup, size: int, seconds: float, *, smallest: bool, main: bool) -> Iterator[Record]:
    """Records of first calls, agreement, rounds. `smallest`: compare with the CPU; `main`: everything takes part."""
    where = lineup.where | {"size": size}
    if not lineup.opened:
        yield from lineup.open()
    x = picture(size)
    ways: list[Way] = []
    for record, way in lineup.ways(x, everything=main):
        yield record
        ways += [way] if way is not None else []
    if not ways:
        raise RuntimeError("nothing runs this network")
    yield from agreement(ways, lineup.dtype, where)
    if smallest:
        yield from beside_cpu(lineup, ways, x, where)
    entries = entries_of(ways, lineup.device)
    if lineup.blended is not None:
        entries |= blending(lineup.blended, lineup.device)
        yield copy_speed(lineup.blended, lineup.device, where)
    yield timed(entries, seconds, where)
    if main:
        yield from new_session(lineup, x)


def agreement(ways: list[Way], dtype: str, where: Record) -> Iterator[Record]:
    """How far each way is from PyTorch (else the first one), at the alpha that is held and at another one."""
    reference = next((way for way in ways if way.name == names.EAGER), ways[0])
    for alpha in (ALPHA, _OTHER_ALPHA):
        expected = reference.read(reference.run(alpha))
        for way in ways:
            if way.moves or alpha == ALPHA:
                error = difference(way.read(way.run(alpha)), expected)
                about = {"approach": way.name, "alpha": alpha, "reference": reference.name}
                yield {"kind": "agreement", **where, **about, "error": error, "agrees": bool(error <= AGREE[dtype])}


def difference(y: FloatArray, expected: FloatArray) -> float:
    return float(np.abs(y - expected).max() / max(1.0, float(np.abs(expected).max())))


def beside_cpu(lineup: Lineup, ways: list[Way], x: FloatArray, where: Record) -> Iterator[Record]:
    """How far ours is from PyTorch in float32 on the CPU: a silent TF32 would show."""
    network = build(lineup.network, tiny=lineup.tiny)
    network.load_state_dict(blend(lineup.a, lineup.b, ALPHA))
    expected: FloatArray = network(torch.from_numpy(x)).numpy()
    for way in ways:
        if way.name in (names.OURS, names.EAGER, names.BAKED):
            error = difference(way.read(way.run(ALPHA)), expected)
            agrees = bool(error <= AGREE_WITH_CPU[lineup.dtype])
            yield {"kind": "beside_cpu", **where, "approach": way.name, "error": error, "agrees": agrees}


def entries_of(ways: list[Way], device: Device) -> dict[str, Callable[[], float]]:
    """Each way with its alpha held, and those that are to show it with a new one at every call.

    A timed call comes after an untimed one of its kind, which takes the last change of alpha upon itself.
    """
    entries: dict[str, Callable[[], float]] = {}
    alphas = new_alphas()
    for way in ways:

        def held(way: Way = way) -> float:
            way.run(ALPHA)
            return device.seconds(lambda: way.run(ALPHA))

        def moving(way: Way = way) -> float:
            way.run(next(alphas))
            alpha = next(alphas)
            return device.seconds(lambda: way.run(alpha))

        entries[way.name] = held
        if way.name in NEW:
            entries[NEW[way.name]] = moving
    return entries


def blending(blended: Blended, device: Device) -> dict[str, Callable[[], float]]:
    """PyTorch's change of alpha by itself, and what copying as many bytes takes: two reads and a write of one set."""
    source = torch.empty(blended.moving_bytes * 3 // 2, dtype=torch.uint8, device=device.kind)
    target = torch.empty_like(source)
    alphas = new_alphas()

    def change() -> float:
        alpha = next(alphas)
        return device.seconds(lambda: blended.blend(alpha))

    return {names.BLEND_TORCH: change, names.COPY: lambda: device.seconds(lambda: target.copy_(source))}


def copy_speed(blended: Blended, device: Device, where: Record) -> Record:
    """The same copy as the device itself sees it, without launching and waiting: milliseconds of many in a row."""
    source = torch.empty(blended.moving_bytes * 3 // 2, dtype=torch.uint8, device=device.kind)
    target = torch.empty_like(source)
    target.copy_(source)

    def copies() -> None:
        for _ in range(_COPIES):
            target.copy_(source)

    ms = [device.seconds(copies) * 1e3 / _COPIES for _ in range(5)]
    return {"kind": "copy", **where, "moved_bytes": blended.moving_bytes * 3, "ms": sorted(ms)[2]}


def timed(entries: Entries, seconds: float, where: Record, core: tuple[str, ...] = ()) -> Record:
    """Rounds in milliseconds; those that bounds are checked for take part in each."""
    core = tuple(name for name in (*names.ALL_BAKED, *_OURS, names.EAGER, *core) if name in entries)
    for entry in entries.values():
        entry()
    effort = Effort(seconds, rounds=200, fewest=_FEWEST)
    rounds = race(entries, core or list(entries), effort, random.Random(0))
    return {"kind": "rounds", **where, "rounds": [{n: round(s * 1e3, 5) for n, s in taken.items()} for taken in rounds]}


def new_session(lineup: Lineup, x: FloatArray) -> Iterator[Record]:
    """What an alpha costs that gets a session of its own: pinned, opened, first call."""
    import onnx

    with lineup.attempt(names.NEW_SESSION, "change", size=x.shape[-1]) as attempt:
        pinned = pin(onnx.load(lineup.files.model), _OTHER_ALPHA).SerializeToString()
        session: Any = BareSession(pinned, lineup.dtype, lineup.device, graph=False)
        session.way(names.NEW_SESSION, x, lineup.scale).run(ALPHA)
    yield attempt.record

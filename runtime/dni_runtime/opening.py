"""Decide how a model runs: which provider, and how alpha gets into the weights."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .alpha_file import AlphaFile, Key, read_alpha_file
from .errors import InputError
from .laid_out import LaidOut
from .metadata import KEY, Metadata
from .on_device import OnDevice
from .pins import Pins
from .prepare import Prepared, prepare
from .prepared_cache import prepared_once
from .providers import Place, check_threads, open_session, resolve
from .runners import AlwaysPinned, Pinning, Plain, Runner
from .signature import Declared, Signature, read_signature
from .split import CannotPrepareError

ALPHA_POLICIES = ("auto", "dynamic", "pinned")
"""How alpha is applied, see `load`."""

# As for the exporter's own check against PyTorch: float32 rounding through a deep network.
_TOLERANCE, _HALF_TOLERANCE = 1e-5, 2e-2
_PROBE_PIXELS = 32
# What a session costs besides weights: threads of its own, one for each core, and their stacks.
_SESSION_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Opened:
    """A runner and what it runs; `metadata` is None where the file has none."""

    runner: Runner
    signature: Signature
    metadata: Metadata | None
    provider: str
    provider_note: str


def open_model(
    file: Path,
    provider: str,
    threads: int | None,
    provider_options: Mapping[str, str],
    alpha_policy: str,
    pin_cache_mib: int,
) -> Opened:
    """Open `file` for `load`, whose arguments these are. Raises what ONNX Runtime raises, too."""
    if alpha_policy not in ALPHA_POLICIES:
        raise InputError(f"alpha_policy is {alpha_policy!r}; expected one of {', '.join(ALPHA_POLICIES)}")
    if pin_cache_mib < 0:
        raise InputError(f"pin_cache_mib is {pin_cache_mib}; expected 0 or more")
    check_threads(threads)
    limit_bytes = pin_cache_mib * 2**20
    alpha_file = read_alpha_file(file)
    known = resolve(provider)
    if provider_options and known is not None and known[0] == "cpu":
        raise InputError(
            f"provider_options are {dict(provider_options)}, but the model runs on the CPU; leave them out"
        )
    if alpha_file is not None and known is not None and known[0] == "cpu":
        metadata = alpha_file.metadata or Metadata()
        signature = read_signature(Declared(alpha_file.slim), metadata)
        opening = _Opening(alpha_file, signature, metadata, Place("cpu", threads), limit_bytes)
        return Opened(opening.on_cpu(alpha_policy), signature, alpha_file.metadata, *known)
    opened = open_session(str(file), provider, threads=threads, options=provider_options)
    text = opened.session.get_modelmeta().custom_metadata_map.get(KEY)
    stated = None if text is None else Metadata.from_json(text)
    metadata = stated or Metadata()
    signature = read_signature(opened.session, metadata)
    if metadata.alpha_plane:
        runner: Runner = Plain(opened.session, signature, f"alpha is a channel of the image; {_BLENDS_ALWAYS}")
    elif signature.alpha_name is None:
        runner = Plain(opened.session, signature, "the model has no alpha input")
    elif alpha_file is None:  # an .ort file, or another that only ONNX Runtime itself can read
        runner = Plain(opened.session, signature, f"{_BLENDS_ALWAYS} (only an .onnx file can be laid out or pinned)")
    else:
        place = Place(opened.provider, threads, provider_options)
        opening = _Opening(alpha_file, signature, metadata, place, limit_bytes)
        runner = opening.elsewhere(Plain(opened.session, signature, _BLENDS_ALWAYS), alpha_policy)
    return Opened(runner, signature, stated, opened.provider, opened.note)


_BLENDS_ALWAYS = "the graph blends the weights with every call"


@dataclass(frozen=True, slots=True)
class _Opening:
    file: AlphaFile
    signature: Signature
    metadata: Metadata
    place: Place
    limit_bytes: int

    def on_cpu(self, policy: str) -> Runner:
        if policy == "pinned":
            return self._always_pinned()
        try:
            moving = self._laid_out(self.limit_bytes if policy == "auto" else 0)
        except Exception as error:  # of ONNX Runtime, the disk, a graph nobody thought of: speed is lost, no answer
            plain = self._plain(f"{_BLENDS_ALWAYS} ({_first_line(error)})")
            return Pinning(plain, self._pins(), self.signature) if policy == "auto" else plain
        if policy == "auto" and moving.gains_from_pins:
            return Pinning(moving, self._pins(), self.signature)
        return moving

    def elsewhere(self, plain: Plain, policy: str) -> Runner:
        """`plain`: the graph as it is in the file, on that provider."""
        if policy == "pinned":
            return self._always_pinned()
        if self.place.provider == "tensorrt":
            # Building an engine takes minutes, so nobody gets one in the background.
            return plain
        for graphs in (True, False) if self.place.provider == "cuda" else ():
            try:
                moving = OnDevice(self.file, self.signature, self.place, graphs=graphs)
                self._check(moving, plain)
            except Exception as error:  # as above; not every graph can be captured
                plain.note = f"{_BLENDS_ALWAYS} ({_first_line(error)})"
            else:
                return moving
        return Pinning(plain, self._pins(), self.signature) if policy == "auto" else plain

    def _always_pinned(self) -> Runner:
        return AlwaysPinned(self._pins(), self.signature, lambda: self._plain("alpha could not be pinned"))

    def _pins(self) -> Pins:
        pin_bytes = self.place.weight_copies * self.file.weight_bytes // (len(self.metadata.endpoints) or 2)
        return Pins(
            lambda alpha: self.file.open_pinned(alpha, self.place),
            self.limit_bytes // (pin_bytes + _SESSION_BYTES),
        )

    def _plain(self, note: str) -> Plain:
        self.file.check_unchanged()
        session = self.place.open(str(self.file.given))
        self.file.check_unchanged()
        return Plain(session, self.signature, note)

    def _laid_out(self, limit_bytes: int) -> LaidOut:
        made: list[LaidOut] = []

        def make() -> Prepared:
            with ThreadPoolExecutor(1) as pool:  # a second core has nothing to do otherwise
                plain = pool.submit(self._plain, "")
                prepared = prepare(self.file.slim, self.file.path.parent)
                made.append(LaidOut(prepared, threads=self.place.threads, limit_bytes=limit_bytes))
                self._check(made[0], plain.result())
            made[0].forget()
            return prepared

        prepared = prepared_once(self.file.path, self.file.slim, make)
        return made[0] if made else LaidOut(prepared, threads=self.place.threads, limit_bytes=limit_bytes)

    def _check(self, candidate: Runner, plain: Plain) -> None:
        """Compare with the graph as it is in the file at two middle alphas, on one small image of noise."""
        x = self._small_image()
        tolerance = _TOLERANCE if self.signature.dtype == np.float32 else _HALF_TOLERANCE
        for alpha in self._middle_alphas():
            expected, got = (runner.run(x, alpha).astype(np.float32) for runner in (plain, candidate))
            error = float(np.abs(expected - got).max())
            if not error <= tolerance * max(1.0, float(np.abs(expected).max())):  # NaN fails too
                raise CannotPrepareError(f"the laid-out weights are off by {error:.1e}")

    def _small_image(self) -> npt.NDArray[Any]:
        """Noise of the smallest size that is worth a look, or of the one that the model takes."""
        low, high = self.metadata.value_range
        unit, minimum = self.metadata.size_multiple, self.metadata.size_minimum
        side = -(-max(minimum, _PROBE_PIXELS) // unit) * unit
        usual = (1, 3, side, side)
        shape = [fixed or default for fixed, default in zip(self.signature.shape, usual, strict=True)]
        return np.random.default_rng(0).uniform(low, high, shape).astype(self.signature.dtype)

    def _middle_alphas(self) -> list[Key]:
        """Of several endpoints each has another share: equal ones would not tell them apart."""
        low, high = self.metadata.alpha_range
        count = self.signature.alpha_shape[0] if self.signature.alpha_shape else 1
        parts = np.arange(1, count + 1) / sum(range(count + 1))
        return [tuple((parts * (low + share * (high - low))).tolist()) for share in (0.31, 0.77)]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

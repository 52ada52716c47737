"""Decide how a model runs: which provider, and how alpha gets into the weights."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .checking import check_equal, run_small, why_not_at_run_time
from .cuda.on_device import OnDevice
from .errors import InputError, ProviderError
from .files.cache_folder import why_no_cache
from .metadata import KEY, Metadata
from .onnx_files.explaining import first_line
from .prepared.cache import prepared_once
from .prepared.entry import FloatArray
from .prepared.laid_out import LaidOut
from .prepared.prepare import Prepared, prepare
from .providers.cuda_options import PREFER_NHWC, file_options, why_no_graphs, without_fused_bias
from .providers.providers import Place, check_threads, open_session, resolve
from .runners import AlwaysPinned, Pinning, Plain, Runner
from .signature import Declared, Signature, read_signature
from .weights.alpha_file import AlphaFile, read_onnx_file
from .weights.pins import Pins

ALPHA_POLICIES = ("auto", "dynamic", "pinned")
"""How alpha is applied, see `load`."""

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
    device_id: int = 0


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
    onnx_file = read_onnx_file(file)
    alpha_file = onnx_file if onnx_file is not None and onnx_file.takes_alpha else None
    half = onnx_file is not None and onnx_file.half
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
    options = dict(provider_options)
    if provider == "cuda" or known is None:
        unknown = {"half": False, "constant_weights": False, "takes_alpha": False}
        options = file_options(options, **unknown) if onnx_file is None else onnx_file.cuda_options(options)
    asked = Place("cuda" if known is None else known[0], threads, provider_options, half)
    opened = asked.in_turn(lambda: open_session(str(file), provider, threads=threads, options=options, half=half))
    place = replace(asked, provider=opened.provider)
    text = opened.session.get_modelmeta().custom_metadata_map.get(KEY)
    stated = None if text is None else Metadata.from_json(text)
    metadata = stated or Metadata()
    signature = read_signature(opened.session, metadata)
    plain = Plain(opened.session, signature, place, _BLENDS_ALWAYS)
    if opened.provider == "cuda" and (reason := why_not_at_run_time(plain, signature, metadata)):
        if PREFER_NHWC in options and PREFER_NHWC not in provider_options:
            # It was our own idea, and not every operator has such a kernel on every GPU.
            without = {**provider_options, PREFER_NHWC: "0"}
            return open_model(file, provider, threads, without, alpha_policy, pin_cache_mib)
        if provider == "cuda":
            raise ProviderError(f"cuda is not available: {reason}")
        on_cpu = open_model(file, "cpu", threads, {}, alpha_policy, pin_cache_mib)
        return replace(on_cpu, provider_note=f"auto chose cpu: cuda is not available: {reason}")
    runner: Runner = plain
    if metadata.alpha_plane:
        plain.note = f"alpha is a channel of the image; {_BLENDS_ALWAYS}"
    elif signature.alpha_name is None:
        plain.note = "the model has no alpha input"
        if onnx_file is not None and opened.provider == "cuda":
            place = replace(place, options=options)
            opening = _Opening(onnx_file, signature, metadata, place, limit_bytes)
            runner = opening.on_cuda(plain) or plain
    elif alpha_file is None:  # an .ort file
        plain.note = f"{_BLENDS_ALWAYS} (only an .onnx file can be laid out or pinned)"
    else:
        runner = _Opening(alpha_file, signature, metadata, place, limit_bytes).elsewhere(plain, alpha_policy)
    return Opened(runner, signature, stated, opened.provider, opened.note, place.device_id)


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
            plain = self._plain(f"{_BLENDS_ALWAYS} ({first_line(error)})")
            return Pinning(plain, self._pins(), self.signature, self.place) if policy == "auto" else plain
        if policy == "auto" and moving.gains_from_pins:
            return Pinning(moving, self._pins(), self.signature, self.place)
        return moving

    def elsewhere(self, plain: Plain, policy: str) -> Runner:
        """`plain`: the graph as it is in the file, on that provider."""
        if policy == "pinned":
            return self._always_pinned()
        if self.place.provider == "tensorrt":
            # Building an engine takes minutes, so nobody gets one in the background.
            return plain
        if self.place.provider == "cuda" and (runner := self.on_cuda(plain)):
            return runner
        return Pinning(plain, self._pins(), self.signature, self.place) if policy == "auto" else plain

    def on_cuda(self, plain: Plain) -> OnDevice | None:
        """The first way that gives the answers of `plain`, None where none does; the note of either says why."""
        reasons = [] if (no_graphs := why_no_graphs()) is None else [no_graphs]
        for nhwc in (True, False) if self.place.half and self.file.takes_alpha else (False,):
            for graphs in (True, False) if no_graphs is None else (False,):
                try:
                    runner = OnDevice(self.file, self.signature, self.place, graphs=graphs, nhwc=nhwc)
                    self._check(runner, plain)
                except Exception as error:  # as above; not every graph can be captured
                    way = ["channels-last"] * nhwc + ["with CUDA graphs" if graphs else "without CUDA graphs"]
                    reasons.append(f"not {' '.join(way)}: {first_line(error)}")
                else:
                    runner.forget()
                    runner.note += f" ({'; '.join(reasons)})" if reasons else ""
                    return runner
        plain.note = f"{plain.note} ({'; '.join(reasons)})"
        return None

    def _always_pinned(self) -> Runner:
        return AlwaysPinned(self._pins(), self.signature, self.place, lambda: self._plain("alpha could not be pinned"))

    @property
    def _plain_place(self) -> Place:
        """For sessions of the file's own graph, whose convolutions are channels first."""
        return replace(self.place, options=without_fused_bias(self.place.options))

    def _pins(self) -> Pins:
        pin_bytes = self.place.weight_copies * self.file.weight_bytes // (len(self.metadata.endpoints) or 2)
        return Pins(
            lambda alpha: self.file.open_pinned(alpha, self._plain_place),
            self.limit_bytes // (pin_bytes + _SESSION_BYTES),
        )

    def _plain(self, note: str) -> Plain:
        self.file.check_unchanged()
        session = self._plain_place.open(str(self.file.given))
        self.file.check_unchanged()
        return Plain(session, self.signature, self.place, note)

    def _check(self, candidate: Runner, plain: Plain) -> None:
        half = self.place.half or self.signature.dtype == np.float16
        check_equal(candidate, plain, self.signature, self.metadata, half=half)

    def _laid_out(self, limit_bytes: int) -> LaidOut:
        def use(prepared: Prepared) -> LaidOut:
            return LaidOut(prepared, threads=self.place.threads, limit_bytes=limit_bytes)

        def make() -> tuple[Prepared, LaidOut]:
            with ThreadPoolExecutor(1) as pool:  # a second core has nothing to do otherwise
                plain = pool.submit(self._plain, "")
                prepared = prepare(self.file.slim, self.file.path.parent)
                made = use(prepared)
                self._check(made, plain.result())
            return prepared, made

        def probe(runner: LaidOut) -> FloatArray:
            # Only our own metadata says how small an image may be.
            return run_small(runner, self.signature, self.metadata, tiny=self.file.metadata is not None)

        runner = prepared_once(self.file.path, self.file.slim, make=make, use=use, probe=probe)
        runner.forget()
        if reason := why_no_cache():
            runner.note = f"{runner.note} ({reason})"
        return runner

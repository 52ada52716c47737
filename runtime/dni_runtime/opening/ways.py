"""Which way of running a policy takes; a fast one only if it gives the answers of the file as it is."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from dni_runtime.cuda.on_device import OnDevice
from dni_runtime.files.cache_folder import why_no_cache
from dni_runtime.metadata import Metadata
from dni_runtime.onnx_files.explaining import first_line
from dni_runtime.openvino.on_openvino import OnOpenVino
from dni_runtime.prepared.blocked.staying import staying_blocked
from dni_runtime.prepared.blocked.winograd import with_winograd
from dni_runtime.prepared.cache import prepared_once
from dni_runtime.prepared.entry import FloatArray
from dni_runtime.prepared.flat_weights import Prepared
from dni_runtime.prepared.laid_out import LaidOut
from dni_runtime.prepared.prepare import prepare
from dni_runtime.providers.cuda_options import why_no_graphs, without_fused_bias
from dni_runtime.providers.sessions import Place
from dni_runtime.signature import Signature, read_signature
from dni_runtime.weights.alpha_file import AlphaFile
from dni_runtime.weights.pins import Pins, pins_in

from .checking import check_equal
from .known import what_it_says
from .runners import AlwaysPinned, Pinning, Plain, Runner
from .small_image import run_small

BLENDS_ALWAYS = "the graph blends the weights with every call"
# What Winograd's sums may add to a small image's error. More pixels have worse ones among them: of networks that
# saturate, 256 x 256 were off by 2.6 times as much at an endpoint, and 1e-5 is the bound.
_ADDED_TOLERANCE = 5e-6


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to run `file` in `place`.

    metadata:         the defaults where the file says nothing.
    pin_cache_bytes:  for the weights of alphas that were used before.
    """

    file: AlphaFile
    signature: Signature
    metadata: Metadata
    place: Place
    pin_cache_bytes: int

    def on_cpu(self, policy: str) -> Runner:
        """An alpha-input model on the CPU, of which there is no session yet."""
        if policy == "pinned":
            return self._always_pinned()
        try:
            moving = self._laid_out(self.pin_cache_bytes if policy == "auto" else 0)
        except Exception as error:  # of ONNX Runtime, the disk, a graph nobody thought of: speed is lost, no answer
            plain = self.plain(f"{BLENDS_ALWAYS} ({first_line(error)})")
            return Pinning(plain, self._pins(), self.signature, self.place) if policy == "auto" else plain
        if policy == "auto" and moving.gains_from_pins:
            return Pinning(moving, self._pins(), self.signature, self.place)
        return moving

    def elsewhere(self, plain: Plain, policy: str) -> Runner:
        """An alpha-input model on another provider. `plain`: the graph as it is in the file, there."""
        if policy == "pinned":
            return self._always_pinned()
        if self.place.provider == "tensorrt":
            # Building an engine takes minutes, so nobody gets one in the background.
            return plain
        if self.place.provider == "cuda" and (runner := self.on_cuda(plain)):
            return runner
        return Pinning(plain, self._pins(), self.signature, self.place) if policy == "auto" else plain

    def on_openvino(self, policy: str) -> Runner:
        """An alpha-input model on OpenVINO's CPU plugin, of which there is no session yet."""
        moving: Runner
        try:
            on_cpu = replace(self, place=Place("cpu", self.place.threads)).plain("")
            try:
                moving = self._in_place(on_cpu, constants=True)
            except Exception:  # what OpenVINO makes of its constants is its own affair
                moving = self._in_place(on_cpu, constants=False)
        except Exception as error:  # as above
            moving = self.plain(f"{BLENDS_ALWAYS} ({first_line(error)})")
        return Pinning(moving, self._pins(), self.signature, self.place) if policy == "auto" else moving

    def _in_place(self, plain: Plain, *, constants: bool) -> OnOpenVino:
        self.file.check_unchanged()
        runner = OnOpenVino(self.file.slim, self.file.path.parent, self.place, constants=constants)
        self.file.check_unchanged()
        self._check(runner, plain)
        return runner

    def on_cuda(self, plain: Plain) -> OnDevice | None:
        """The first way that gives the answers of `plain`, None where none does; the note of either says why."""
        reasons = [] if (no_graphs := why_no_graphs()) is None else [no_graphs]
        for place, nhwc in self._layouts():
            for graphs in (True, False) if no_graphs is None else (False,):
                try:
                    runner = OnDevice(self.file, self.signature, place, graphs=graphs, nhwc=nhwc)
                    self._check(runner, plain)
                except Exception as error:  # as above; not every graph can be captured
                    way = ["channels-last"] * nhwc + ["with fused biases"] * (place != self._plain_place)
                    way += ["with CUDA graphs" if graphs else "without CUDA graphs"]
                    reasons.append(f"not {' '.join(way)}: {first_line(error)}")
                else:
                    runner.forget()
                    runner.note += f" ({'; '.join(reasons)})" if reasons else ""
                    return runner
        plain.note = f"{plain.note} ({'; '.join(reasons)})"
        return None

    def _layouts(self) -> list[tuple[Place, bool]]:
        """Where to run the file on CUDA, and whether channels-last, best first."""
        if not self.file.takes_alpha:
            return [(self.place, False)]
        plain = self._plain_place
        if not self.place.half:
            return [(plain, False)]
        # Biases are fused in channels-last convolutions, and not beside transposed ones, which cuDNN refuses then.
        fused = [(self.place, True)] if self.place != plain else []
        return [*fused, (plain, True), (plain, False)]

    def _always_pinned(self) -> Runner:
        return AlwaysPinned(self._pins(), self.signature, self.place, lambda: self.plain("alpha could not be pinned"))

    @property
    def _plain_place(self) -> Place:
        """For sessions of the file's own graph, whose convolutions are channels first."""
        return replace(self.place, options=without_fused_bias(self.place.options))

    def _pins(self) -> Pins:
        weight_bytes = self.place.weight_copies * self.file.weight_bytes
        return Pins(
            lambda alpha: self.file.open_pinned(alpha, self._plain_place),
            pins_in(self.pin_cache_bytes, weight_bytes, len(self.metadata.endpoints)),
        )

    def plain(self, note: str) -> Plain:
        """The graph as it is in the file."""
        self.file.check_unchanged()
        session = self._plain_place.open(str(self.file.given))
        self.file.check_unchanged()
        # Of the file itself, whose knobs are inputs of their own.
        return Plain(session, read_signature(session, self.metadata), self.place, note)

    def _check(self, candidate: Runner, plain: Plain) -> None:
        half = self.place.half or self.signature.dtype == np.float16
        check_equal(candidate, plain, self.signature, self.metadata, half=half)

    def _in_blocks(
        self, prepared: Prepared, made: LaidOut, use: Callable[[Prepared], LaidOut], plain: Plain
    ) -> tuple[Prepared, LaidOut]:
        """With what is faster in blocks of channels, if that gives the same answers.

        Convolutions that are changed for large images only are so for the small one of the comparison, too.
        """
        staying = staying_blocked(prepared.body)
        body = with_winograd(staying)
        if body == prepared.body:
            return prepared, made
        try:
            small = use(replace(prepared, body=with_winograd(staying, small=True)))
            self._check(small, plain)
            check_equal(small, made, self.signature, self.metadata, half=False, tolerance=_ADDED_TOLERANCE)
            # What such convolutions gain is more than a pinned session would, which has none.
            faster = replace(prepared, body=body, packed=prepared.packed and body == staying)
            return faster, use(faster)
        except Exception as error:  # of ONNX Runtime, memory, numbers: speed is lost, no answer
            made.note = f"{made.note} (its graph as ONNX Runtime optimizes it: {first_line(error)})"
            return prepared, made

    def _laid_out(self, limit_bytes: int) -> LaidOut:
        def use(prepared: Prepared) -> LaidOut:
            runner = LaidOut(prepared, threads=self.place.threads, limit_bytes=limit_bytes)
            runner.require_image(self.signature.input_name)
            return runner

        def make() -> tuple[Prepared, LaidOut]:
            with ThreadPoolExecutor(1) as pool:  # a second core has nothing to do otherwise
                plain = pool.submit(self.plain, "")
                prepared = prepare(self.file.slim, self.file.path.parent)
                made = use(prepared)
                self._check(made, plain.result())
            return self._in_blocks(prepared, made, use, plain.result())

        def probe(runner: LaidOut) -> FloatArray:
            # Only our own metadata says how small an image may be.
            return run_small(runner, self.signature, self.metadata, tiny=self.file.metadata is not None)

        said = what_it_says(self.file)
        runner = prepared_once(self.file.path, self.file.slim, said=said, make=make, use=use, probe=probe)
        runner.forget()
        if reason := why_no_cache():
            runner.note = f"{runner.note} ({reason})"
        return runner

"""What an operator may choose about a model repository."""

from __future__ import annotations

from dataclasses import dataclass

from dni_runtime import InputError

from .contract import BACKENDS

DEVICES = ("cpu", "gpu")
ACCELERATORS = ("cuda", "tensorrt")


@dataclass(frozen=True, slots=True)
class ShipOptions:
    """For all models of one call of `ship_triton`; the command line has the same names.

    backend:            one of BACKENDS, see `contract`.
    device:             where the model runs, cpu or gpu.
    instances:          copies of the model, on each GPU or on the CPU, that run at the same time.
    max_batch:          images of one execution at most; only the Python backend joins requests.
    max_queue_delay_ms: how long a request may wait for others to join it.
    max_pixels:         of `image` in one request, all images together; larger ones are refused.
    max_input_pixels:   the same for `input`, which is not tiled.
    threads:            CPU threads of one instance; None shares the cores among the instances (Python backend),
                        or leaves it to ONNX Runtime.
    accelerator:        on a GPU with the onnxruntime backend, cuda or tensorrt.
    response_cache:     answer a request that came before from memory; the server needs --cache-config too.
    warmup:             (height, width) of the images that run, at three alphas, before a model counts as ready;
                        not those over max_pixels.
    """

    backend: str = "onnxruntime"
    device: str = "cpu"
    instances: int = 1
    max_batch: int = 8
    max_queue_delay_ms: float = 0.0
    max_pixels: int = 32_000_000
    max_input_pixels: int = 4_194_304
    threads: int | None = None
    accelerator: str = "cuda"
    response_cache: bool = False
    warmup: tuple[tuple[int, int], ...] = ((512, 512),)

    def __post_init__(self) -> None:
        for name, choices in (("backend", BACKENDS), ("device", DEVICES), ("accelerator", ACCELERATORS)):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(choices)}")
        for name in ("instances", "max_batch", "max_pixels", "max_input_pixels"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected 1 or more")
        if self.threads is not None and self.threads < 1:
            raise InputError(f"threads is {self.threads}; expected 1 or more, or None")
        if not 0 <= self.max_queue_delay_ms < float("inf"):
            raise InputError(f"max_queue_delay_ms is {self.max_queue_delay_ms}; expected 0 or more")
        if any(size < 1 for shape in self.warmup for size in shape):
            raise InputError(f"warmup is {self.warmup}; expected heights and widths of 1 or more")

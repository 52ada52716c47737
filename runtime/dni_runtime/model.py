"""A model at run time: the public class, whose calls check what they are given before anything runs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from .alpha import Alpha, Key
from .alpha_of_call import alpha_of_call, alpha_of_image, calibration_of
from .calibration import AUTO, Auto, Calibration
from .errors import InputError
from .images.conversion import Image
from .images.plans.plan import Plan
from .images.strengths.levels import MOST_LEVELS
from .metadata import Metadata
from .opening.opened import Opened
from .opening.runners import Runner
from .running import FloatArray, Running
from .signature import DlpackTensor

if TYPE_CHECKING:
    from .images.strengths.regions import Regions, Run

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (tiles done, tiles in all)."""


class Model:
    """A loaded model; made by `load`. Threads may share it; close it, or use it as a context manager.

    metadata:       what the file says about itself, a Metadata; the defaults where it says nothing.
    provider:       where it runs: "cpu", "cuda", "tensorrt", "openvino", "ncnn", or "fastest" where that is several.
    provider_note:  why there, one sentence.
    """

    def __init__(self, opened: Opened, name: str) -> None:
        self.metadata = opened.metadata or Metadata()
        self._sizes_unknown = opened.metadata is None
        self.provider = opened.provider
        self.provider_note = opened.provider_note
        self._name = name
        self._signature = opened.signature
        self._device_id = opened.device_id
        self._image_multiple = opened.image_multiple
        self._running = Running(opened, name)

    def __call__(self, x: FloatArray, alpha: Alpha | None = None) -> FloatArray:
        """Run the network on a batch: `model(x, alpha)`.

        x:     float32 (N, C, H, W), channels in the order and values in the range that `metadata` names (RGB, 0..1);
               height and width at least `metadata.size_minimum` and multiples of `metadata.size_multiple`, and alike
               where `metadata.size_square`.
        alpha: the share of endpoint A, one for the whole batch, a number in `metadata.alpha_range`; K - 1 numbers for
               K endpoints; along a path one number, the place; with knobs a number for each, in the order of
               `metadata.knob_names` or by name, or one for all. None for the model's default, and for a baked model.

        Returns float32 (N, C', sH, sW), not clipped.

        Raises InputError or AlphaError before anything runs, ModelError if the model fails or is closed.
        """
        self._signature.check_tensor(x, self.metadata)
        return self._running.run(x, self.check_alpha(alpha))

    def run_on_device(self, x: DlpackTensor, alpha: Alpha | None = None) -> DlpackTensor:
        """Run the network on a tensor of another library where it lies, without a copy through the host.

        x:     as for a call, but of any library that speaks DLPack (PyTorch, CuPy, JAX, NumPy) and of the dtype in
               `metadata`; on the GPU for a model there.
        alpha: as for a call.

        Returns an object that speaks DLPack too, on the same device: `torch.from_dlpack(model.run_on_device(x, 0.3))`.
        Raises as a call does.

        On the CPU nothing is copied, but by OpenVINO. On a GPU `x` may still be being computed, on the stream that is
        current for its library; the result is complete, and no later call writes to it.
        """
        from .cuda.dlpack import copy_to_gpu, is_on_gpu

        values, value = self.check_alpha(alpha), self._import("x", x)
        self._signature.check_shape(tuple(value.shape()), self.metadata)
        if (runner := self._running.on_device()) is not None:
            return self._running.guarded(lambda: runner.run_there(value, values))
        # The array itself: an OrtValue made of it would not keep its memory for whoever imports it.
        y = self._running.run_typed(value.numpy(), values)
        return copy_to_gpu(y, value) if is_on_gpu(value) else y

    def bind(self, x: DlpackTensor, out: DlpackTensor) -> Callable[..., None]:
        """A call for one image and one result that stay where they are: `call = model.bind(x, out)`, `call(alpha)`.

        x:   as for `run_on_device`.
        out: likewise, of the result's shape and the model's dtype, contiguous, on the same device, in other memory.

        `call` takes alpha as a call of the model does; it may change from call to call. It reads what is in `x` then,
        and has written `out` when it returns. On a GPU nothing is copied or allocated, so it costs what replaying a
        CUDA graph of a baked model does; it waits for all that other streams of the device still do.

        Raises InputError if the network makes another shape than `out` has or both share memory, and as a call does.
        """
        from .cuda.dlpack import check_result, write

        image, result = self._import("x", x), self._import("out", out)
        self._signature.check_shape(tuple(image.shape()), self.metadata)
        if (runner := self._running.on_device()) is not None:
            run = self._running.guarded(lambda: runner.bind(image, result))
        else:

            def run(alpha: Key | None) -> None:
                y = self._running.run_typed(image.numpy(), alpha)
                check_result(result, y.shape)
                write(y, result)

        def call(alpha: Alpha | None = None) -> None:
            values = self.check_alpha(alpha)
            self._running.require_open()
            self._running.guarded(lambda: run(values))

        return call

    def enhance(
        self,
        image: Image,
        alpha: Alpha | Auto | None = None,
        *,
        tile: int | None = None,
        overlap: int | None = None,
        wrap: bool = False,
        bits: int | None = None,
        levels: int = MOST_LEVELS,
        progress: Progress | None = None,
    ) -> Image:
        """Run the network on one image of any size; pads, tiles and joins the tiles without visible seams.

        image:    uint8 or uint16, values over the whole range of the dtype or of `bits`, or float32, 0 black and 1
                  white, beyond which values count as black or white; (H, W) or (H, W, 1) grey, (H, W, 3) RGB or
                  (H, W, 4) RGB and opacity.
        alpha:    as for a call; or "auto", the one that fits the noise in the image (`choose_alpha`); or of a model of
                  one alpha a map of floats (H, W), one for each pixel.
        tile:     height and width of the tiles in input pixels; None tiles images of more than 1024 x 1024 pixels
                  (512 x 512 on a GPU, where every new size costs time) by 512, or on a CPU by as many that are no
                  larger than the image needs, 0 never tiles. A model of fixed size has tiles of that size.
        overlap:  input pixels on each inner side of a tile that are computed and thrown away; None takes the
                  network's reach, at most 64, and where that is not known 32, or less in small tiles.
        wrap:     the image is a seamless tile: beyond its ends the network sees it again, as far as `overlap` says, so
                  the result is seamless, too. (Of a network that takes multiples of some size only if the image is
                  one.)
        bits:     of integers that do not fill their dtype: 2**bits - 1 is white, in the result too; None: they fill it.
        levels:   of alpha at which the network runs for a map, at most; 2 or more.
        progress: called with (tiles done, tiles in all). What it raises ends the work and is raised here, as it is: the
                  way to cancel. The model can be used on. It is called after each tile, so the wait is one tile's.

        Returns the same dtype and channels, (sH, sW) or (sH, sW, C), sizes rounded up where s is a fraction; in memory
        it lies as the image does, interleaved or in planes. All is clipped; integers are rounded to nearest, and of
        floats nothing is: without tiles the result is that of `model(x)` for the clipped image, clipped, to the last
        bit.

        Grey on a network of 3 channels is copied to all three, and the mean of the three results taken (1/3
        each: it undoes the copying and averages errors); RGB on a network of 1 channel is three grey images.
        Opacity is kept at scale 1, else the network enlarges it as a grey image, unless it is constant. Instead of the
        colours under pixels of opacity 0 the network sees those of the visible ones around them; at scale 1 the result
        has the image's own there.

        A map's levels are the values that it has, or if they are many those between which mixing does least harm. Tiles
        run at the levels that their pixels need, and each pixel is mixed, linearly, of the two around its own; where
        that is a level itself the result is exactly that of the level for the whole image.

        A network that looks at averages over the whole image (`metadata.view`) gets the same in tiles: they are
        measured in passes over all of them first, so that it takes a few times as long. One that looks at the whole
        image in other ways gives another result in tiles; the note of its `plan` says so.

        Beside the image and the result, memory is bounded by the tile, not by the image. Tiles are cut out and
        written while the network runs. On a GPU it converts and rounds images of the network's own channels itself;
        where tiles fade into each other they have been rounded already, so a value may differ by one from the CPU's.

        Raises InputError for an unfit image, tile or overlap, or a network without a scale; AlphaError and
        ModelError as for a call.
        """
        return self.enhance_batch(
            [image], alpha, tile=tile, overlap=overlap, wrap=wrap, bits=bits, levels=levels, progress=progress
        )[0]

    def enhance_batch(
        self,
        images: Sequence[Image],
        alpha: Alpha | Auto | None = None,
        *,
        tile: int | None = None,
        overlap: int | None = None,
        wrap: bool = False,
        bits: int | None = None,
        levels: int = MOST_LEVELS,
        progress: Progress | None = None,
    ) -> list[Image]:
        """`enhance` for several images of equal height and width and one alpha, which run as one batch.

        Faster than one by one where the images are small or the network is; memory is that of all of them. Their
        channels and dtypes may differ. The results are in the order of `images`; all else is as for `enhance`. A map is
        for all of them; with "auto" each image gets an alpha of its own, and those of the same one run together.
        """
        # What images need is imported with the first of them: a quarter of what this package takes to import.
        from .images.by_alpha import run_by_alpha
        from .images.enhance import check_common_size, check_images, enhance_images
        from .images.strengths.alpha_map import is_map, levels_of
        from .images.strengths.regions import Regions

        if isinstance(alpha, str) and alpha == AUTO:
            each = functools.partial(self.enhance_batch, tile=tile, overlap=overlap, wrap=wrap, bits=bits)
            return run_by_alpha(each, images, lambda image: self.choose_alpha(image, bits=bits)[0], progress)
        integers = None
        run: Run | Regions
        if is_map(alpha):
            places, keys = levels_of(alpha, check_common_size(images), levels, self.check_alpha)
            run = Regions(alpha, places, [functools.partial(self._running.run, alpha=key) for key in keys])
        else:
            keys = [self.check_alpha(alpha)]
            run = functools.partial(self._running.run, alpha=keys[0])
            integers = self._running.integers(images, keys[0]) if bits is None else None
        if self._sizes_unknown:
            check_images(images, bits)
            self._learn_sizes(keys[0])
        return enhance_images(
            run,
            images,
            self._of_images,
            self._signature.shape,
            tile=tile,
            overlap=overlap,
            wrap=wrap,
            bits=bits,
            progress=progress,
            run_integers=integers,
            averages=lambda: self._running.averages(keys),
            new_sizes_cost=self._new_sizes_cost,
        )

    def plan(
        self, height: int, width: int, *, tile: int | None = None, overlap: int | None = None, wrap: bool = False
    ) -> Plan:
        """What `enhance` does with an image of that size at one alpha: tiles, steps of its progress, memory.

        The image is taken to have the network's own channels and no opacity. No image of that size runs; where the file
        does not tell all that it takes, a few small ones do, once.

        Raises InputError for a tile, an overlap or a network as `enhance` does, and for a size below 1.
        """
        from .images.plans.lay_out import check_shape, lay_out
        from .images.plans.make_plan import make_plan

        if min(height, width) < 1:
            raise InputError(f"the image is {height}x{width} pixels; expected at least one pixel")
        check_shape(self._signature.shape, 1)
        if self._sizes_unknown:
            least = (self.metadata.alpha_range[0],) * self.metadata.alpha_count
            self._learn_sizes(None if self._signature.alpha_name is None else least)
        metadata, shape, cost = self._of_images, self._signature.shape, self._new_sizes_cost
        cut = functools.partial(lay_out, height, width, metadata, shape, tile=tile, overlap=overlap, wrap=wrap)
        layout, averages = cut(new_sizes_cost=cost), None
        if layout.tiles > 1 and (averages := self._running.averages([None])) is not None:
            layout = cut(new_sizes_cost=cost, grid=averages.unit)
        return make_plan(height, width, layout, metadata, shape, averages=averages)

    def check_alpha(self, alpha: Alpha | None) -> tuple[float, ...] | None:
        """The alpha that a call with `alpha` uses: as given, the default, or the pinned one.

        None where the model has no alpha at all. Raises AlphaError as a call does.
        """
        return alpha_of_call(alpha, self._signature, self.metadata, self._name)

    def choose_alpha(self, image: Image, *, bits: int | None = None) -> tuple[float, float]:
        """The alpha that `enhance(image, "auto")` uses, and the noise that it is for, which is estimated in the image.

        The noise is its sigma, of 255, see `estimate_noise`; `bits` as for `enhance`. Beyond that which the model is
        calibrated for (`dni calibrate`) alpha is the nearest that it is calibrated for.

        Raises InputError for an unfit image; AlphaError where the model has no calibration, or one for the quality of
        JPEGs, which pixels do not tell, and where the image has less than 64 pixels along a side.
        """
        return alpha_of_image(image, self.require_calibration(), self._signature.shape[1], self._name, bits)

    def require_calibration(self, kind: str | None = None) -> Calibration:
        """What alpha fits which image, for `kind` ("noise" or "jpeg") or whatever it is.

        Raises AlphaError where the model has no such calibration, or no alpha to choose.
        """
        return calibration_of(self._signature, self.metadata, self._name, kind)

    def settle(self, timeout_s: float | None = None) -> bool:
        """Wait until the alpha of the last call runs at full speed; for benchmarks and tests.

        Returns False if that has not come about after `timeout_s` seconds (None: no limit), or cannot.
        """
        return self._runner.settle(timeout_s)

    def close(self) -> None:
        """Free the model's memory; using it afterwards is a ModelError. Calls that are running finish.

        Waits for work in the background, of which there is one pin's at most.
        """
        self._running.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alpha_note(self) -> str:
        """How alpha gets into the weights, one sentence; of "fastest", what was found out by now."""
        return self._running.note

    def __repr__(self) -> str:
        state = "closed" if self._running.closed else self.provider
        return f"<dni_runtime.Model {self._name} ({state})>"

    @property
    def _of_images(self) -> Metadata:
        """What images are padded and cut for: the network, where it runs."""
        multiple = math.lcm(self.metadata.size_multiple, self._image_multiple)
        return replace(self.metadata, size_multiple=multiple)

    @property
    def _new_sizes_cost(self) -> bool:
        return self._running.on_device() is not None

    def _learn_sizes(self, alpha: Key | None) -> None:
        """Run small images through a model of another tool, whose file does not tell which it takes and makes."""
        from .images.learn_sizes import learn_sizes

        scale, sizes = learn_sizes(functools.partial(self._running.run, alpha=alpha), self._signature.shape)
        self.metadata = replace(self.metadata, scale=scale, size_multiple=sizes.multiple, size_square=sizes.square)
        self._sizes_unknown = False

    def _import(self, name: str, x: DlpackTensor) -> Any:
        """`x`, the argument `name`, as an OrtValue of the model's dtype."""
        from .cuda.dlpack import import_argument

        return import_argument(name, x, self._signature, self._device_id if self.provider == "cuda" else None)

    @property
    def _runner(self) -> Runner:
        return self._running.require_open()

"""Decide how a model runs: which provider, and how alpha gets into the weights."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from dni_runtime.averages.network import AveragesNetwork
from dni_runtime.averages.opening import on_onnx_runtime, open_network
from dni_runtime.errors import InputError, ProviderError
from dni_runtime.metadata import AVERAGES, Metadata
from dni_runtime.onnx_files.declared import Declared
from dni_runtime.providers.choosing import NCNN, OPENVINO, Choice, require_available, resolve
from dni_runtime.providers.cuda_options import PREFER_NHWC, file_options
from dni_runtime.providers.sessions import Place, open_session
from dni_runtime.signature import Signature, read_signature, stated
from dni_runtime.weights.alpha_file import AlphaFile, read_onnx_file

from .asked import Asked
from .checking import why_not_at_run_time
from .opened import Opened
from .runners import Plain, Runner
from .ways import BLENDS_ALWAYS, Ways
from .with_ncnn import open_ncnn


def open_model(path: Path, asked: Asked) -> Opened:
    """Open the model in `path` for `load`. Raises what ONNX Runtime raises, too."""
    file = read_onnx_file(path)
    choice = resolve(asked.provider)
    if choice is not None and choice.provider == "cpu":
        if asked.provider_options:
            raise InputError(
                f"provider_options are {dict(asked.provider_options)}, but the model runs on the CPU; leave them out"
            )
        if file is not None and file.takes_alpha:
            return _open_unopened(file, asked, choice.provider, choice.note)
    if choice is not None and choice.provider == NCNN:
        runner, signature = open_ncnn(file, asked)
        stated_there = None if file is None else file.metadata
        averages, note = _averages(file, Place("cpu", asked.threads)), choice.note + on_onnx_runtime(stated_there)
        multiple = runner.multiple_for((stated_there or Metadata()).sizes)
        return Opened(runner, signature, stated_there, NCNN, note, open_averages=averages, image_multiple=multiple)
    if choice is not None and file is not None and file.takes_alpha and _blends_in_place(choice, asked):
        require_available(choice.provider, asked.provider_options)
        return _open_unopened(file, asked, choice.provider, f"{choice.note}, on CPU")
    as_it_is = _open_as_it_is(path, file, asked, choice)
    if as_it_is.place.provider == "cuda" and (reason := as_it_is.why_not_at_run_time()):
        return _open_elsewhere(path, asked, as_it_is, reason)
    return Opened(
        _runner(as_it_is, file, asked),
        as_it_is.signature,
        as_it_is.stated,
        as_it_is.place.provider,
        as_it_is.note,
        as_it_is.place.device_id,
        _averages(file, replace(as_it_is.place, options=as_it_is.options)),
    )


def _blends_in_place(choice: Choice, asked: Asked) -> bool:
    """Whether it is OpenVINO on the CPU, and an alpha may move; other devices have a memory of their own."""
    on_cpu = choice.provider == OPENVINO and asked.provider_options.get("device", "CPU") == "CPU"
    return on_cpu and asked.alpha_policy != "pinned"


def _open_unopened(file: AlphaFile, asked: Asked, provider: str, note: str) -> Opened:
    """An alpha-input model; no session of the file as it is has to be made."""
    metadata = file.metadata or Metadata()
    signature = read_signature(Declared(file.slim), metadata)
    place = Place(provider, asked.threads, asked.provider_options)
    ways = Ways(file, signature, metadata, place, asked.pin_cache_bytes)
    return Opened(
        (ways.on_openvino if provider == OPENVINO else ways.on_cpu)(asked.alpha_policy),
        signature,
        file.metadata,
        provider,
        note,
        open_averages=_averages(file, ways.place),
    )


def _averages(file: AlphaFile | None, place: Place) -> Callable[[], AveragesNetwork | None]:
    if file is None or file.metadata is None or file.metadata.view != AVERAGES:
        return lambda: None
    return functools.partial(open_network, file, place)


@dataclass(frozen=True, slots=True)
class _AsItIs:
    """A session of the whole file, which blends the weights with every call.

    place:    as it was asked for, `auto` resolved.
    options:  those that the session was made with.
    stated:   the file's metadata, None where it has none.
    note:     why this provider.
    """

    plain: Plain
    signature: Signature
    place: Place
    options: dict[str, str]
    stated: Metadata | None
    note: str

    @property
    def metadata(self) -> Metadata:
        return self.stated or Metadata()

    def why_not_at_run_time(self) -> str | None:
        return why_not_at_run_time(self.plain, self.signature, self.metadata)


def _open_as_it_is(path: Path, file: AlphaFile | None, asked: Asked, choice: Choice | None) -> _AsItIs:
    options = dict(asked.provider_options)
    if asked.provider == "cuda" or choice is None:
        unknown = {"half": False, "constant_weights": False, "takes_alpha": False}
        options = file_options(options, **unknown) if file is None else file.cuda_options(options)
    half = file is not None and file.half
    place = Place("cuda" if choice is None else choice.provider, asked.threads, asked.provider_options, half)
    there = replace(place, provider=asked.provider, options=options)
    opened = place.in_turn(lambda: open_session(str(path), there))
    place = replace(place, provider=opened.provider)
    metadata = stated(opened.session)
    signature = read_signature(opened.session, metadata or Metadata())
    plain = Plain(opened.session, signature, place, BLENDS_ALWAYS)
    return _AsItIs(plain, signature, place, options, metadata, opened.note)


def _open_elsewhere(path: Path, asked: Asked, tried: _AsItIs, reason: str) -> Opened:
    """A model that CUDA loaded and then could not run. Raises ProviderError where CUDA was asked for."""
    if PREFER_NHWC in tried.options and PREFER_NHWC not in asked.provider_options:
        # It was our own idea, and not every operator has such a kernel on every GPU.
        without = {**asked.provider_options, PREFER_NHWC: "0"}
        return open_model(path, replace(asked, provider_options=without))
    if asked.provider == "cuda":
        raise ProviderError(f"cuda is not available: {reason}")
    on_cpu = open_model(path, replace(asked, provider="cpu", provider_options={}))
    return replace(on_cpu, provider_note=f"auto chose cpu: cuda is not available: {reason}")


def _runner(as_it_is: _AsItIs, file: AlphaFile | None, asked: Asked) -> Runner:
    """The way in which a model runs of which there is a session already."""
    plain, signature, metadata = as_it_is.plain, as_it_is.signature, as_it_is.metadata
    if metadata.alpha_plane:
        plain.note = f"alpha is a channel of the image; {BLENDS_ALWAYS}"
        return plain
    if signature.alpha_name is None:
        plain.note = "the model has no alpha input"
        if file is None or as_it_is.place.provider != "cuda":
            return plain
        place = replace(as_it_is.place, options=as_it_is.options)
        return Ways(file, signature, metadata, place, asked.pin_cache_bytes).on_cuda(plain) or plain
    if file is None or not file.takes_alpha:  # an .ort file
        plain.note = f"{BLENDS_ALWAYS} (only an .onnx file can be laid out or pinned)"
        return plain
    ways = Ways(file, signature, metadata, as_it_is.place, asked.pin_cache_bytes)
    return ways.elsewhere(plain, asked.alpha_policy)

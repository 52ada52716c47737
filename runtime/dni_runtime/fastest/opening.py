"""Open a model for the fastest of the installed engines."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from dni_runtime.averages.opening import on_onnx_runtime
from dni_runtime.errors import InputError, ModelError
from dni_runtime.metadata import Metadata
from dni_runtime.ncnn.form import read_form
from dni_runtime.opening.asked import Asked
from dni_runtime.opening.checking import check_same
from dni_runtime.opening.open_model import open_model
from dni_runtime.opening.opened import Opened
from dni_runtime.opening.runners import Plain, Runner
from dni_runtime.opening.small_image import run_small
from dni_runtime.prepared.cache import content_key
from dni_runtime.providers.choosing import FASTEST, NCNN, ON_CPU, why_not
from dni_runtime.providers.sessions import Place
from dni_runtime.signature import read_signature
from dni_runtime.weights.alpha_file import AlphaFile, read_onnx_file

from .deciding import Deciding
from .engines import Engines
from .fastest import Fastest
from .memory import Memory


def open_fastest(path: Path, asked: Asked) -> Opened:
    """Open the model in `path` for `load(provider="fastest")`. Raises as `open_model` does.

    With one engine alone, it runs there as if that had been asked for.
    """
    if asked.provider_options:
        raise InputError(
            f"provider_options are {dict(asked.provider_options)}, but fastest takes none, for they are one engine's; "
            "leave them out, or name the provider"
        )
    always, *others = ON_CPU
    on_cpu = open_model(path, replace(asked, provider=always))
    file = read_onnx_file(path)
    missing = {name: reason for name in others if (reason := why_not(name))}
    if file is None:
        missing = dict.fromkeys(others, "it reads .onnx files only")
    elif NCNN not in missing and (reason := _why_no_form(file)):
        missing[NCNN] = reason
    reasons = "".join(f"; {name} takes no part: {reason}" for name, reason in missing.items())
    if file is None or len(missing) == len(others):
        return replace(on_cpu, provider_note=f"{FASTEST} chose {always}{reasons}")
    names = [name for name in ON_CPU if name not in missing]
    runner = _fastest(file, names, on_cpu, asked)
    note = f"{FASTEST} measures {', '.join(names[:-1])} and {names[-1]}, once for each size of image"
    note += on_onnx_runtime(on_cpu.metadata) + reasons
    return replace(on_cpu, runner=runner, provider=FASTEST, provider_note=note)


def _fastest(file: AlphaFile, names: list[str], on_cpu: Opened, asked: Asked) -> Fastest:
    signature, metadata = on_cpu.signature, on_cpu.metadata or Metadata()
    half = signature.dtype == np.float16 or file.half
    tiny = on_cpu.metadata is not None
    expected = run_small(on_cpu.runner, signature, metadata, tiny=tiny)

    def open_engine(name: str) -> Runner:
        file.check_unchanged()
        runner = open_model(file.given, replace(asked, provider=name)).runner
        check_same(run_small(runner, signature, metadata, tiny=tiny), expected, half=half)
        return runner

    def open_plain() -> Plain:
        file.check_unchanged()
        place = Place("cpu", asked.threads)
        session = place.open(str(file.given))
        return Plain(session, read_signature(session, metadata), place, "")

    form = read_form(file.slim) if NCNN in names else None
    takes = {} if form is None else {NCNN: lambda height, width: form.graph_for(height, width) is not None}
    engines = Engines(names, open_engine, on_cpu.runner, takes)
    # `dynamic` is what results come from that depend on no call before: there one engine runs whatever alpha does.
    moves = signature.alpha_name is not None and asked.alpha_policy != "pinned"
    holds = not moves or asked.alpha_policy == "auto"
    deciding = Deciding(engines, open_plain, signature, metadata, half=half, holds=holds, moves=moves)
    content = content_key(file.path, file.slim)
    return Fastest(engines, deciding, Memory(content, names, f"{asked.threads} {asked.alpha_policy}"))


def _why_no_form(file: AlphaFile) -> str | None:
    try:
        return None if read_form(file.slim) else "the model has no form for it (dni-export --ncnn-form makes one)"
    except ModelError as error:  # one that cannot be used is none
        return str(error)

"""From a file to a model: what a user may ask for, and every error in one sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .errors import DniError, ModelError
from .files.digest import digest_aside, file_digest
from .files.regular_file import state_of
from .model import Model
from .onnx_files.explaining import explain
from .onnx_files.required import require_file
from .opening.asked import Asked
from .providers.choosing import FASTEST

if TYPE_CHECKING:
    from .opening.opened import Opened

ProviderName: TypeAlias = str
"""One of PROVIDERS."""
ProviderOptions: TypeAlias = Mapping[str, str]
"""By name; numbers are taken as well."""
AlphaPolicy: TypeAlias = str
"""One of ALPHA_POLICIES."""


def load(
    path: str | os.PathLike[str],
    provider: ProviderName = "auto",
    *,
    threads: int | None = None,
    provider_options: ProviderOptions | None = None,
    alpha_policy: AlphaPolicy = "auto",
    pin_cache_mib: int = 256,
) -> Model:
    """Load an ONNX file that dni-deploy wrote, or any other that takes one image.

    path:             the .onnx file; weights that it keeps elsewhere (external data, linked .safetensors) have to lie
                      in its folder or below. An .ort file (ONNX Runtime's own format) runs as it is: its weights are
                      blended with every call.
    provider:         "auto", "cpu", "cuda", "tensorrt", "openvino", "ncnn" or "fastest"; auto takes cuda where it
                      works, else cpu, and `Model.provider_note` says why. fastest finds out which of cpu, openvino and
                      ncnn is, once for each size of image, and remembers it; `Model.alpha_note` says what it found.
    threads:          threads for one operator on the CPU, 1 or more; None for the engine's own choice.
    provider_options: ONNX Runtime's for cuda or tensorrt, OpenVINO's for openvino; see below. Others take none.
    alpha_policy:     how alpha gets into the weights: "auto", "dynamic" or "pinned"; see below.
    pin_cache_mib:    memory for the weights of alphas that were used before, in MiB, 0 or more; those of the last
                      alpha are kept whatever it says.

    `alpha_policy`, of which `Model.alpha_note` says what came of it:

    auto:    full speed when alpha holds, nearly that when it moves; no call waits, and recently used weights are kept.
    dynamic: the same, but nothing runs in the background and only the last weights are kept.
    pinned:  a session for each alpha, and the first call with one waits for it; for work through a few alphas. It
             reads the file again for each, which therefore has to stay as it is (a ModelError else).

    `provider_options` that are worth a thought:

    device_id:                for cuda and tensorrt: which GPU, such as "1".
    use_tf32:                 for cuda: "1" computes float32 up to four times as fast, with errors of 1e-3.
    fuse_conv_bias:           for cuda: "1" makes float16 up to a third faster, but the first call with an image shape
                              compiles kernels (2 to 20 s).
    device:                   for openvino: "CPU", the default; "GPU", "NPU" and "AUTO" are unchecked.
    CACHE_DIR:                for openvino: a folder for what it compiled. This and the next are its own properties.
    INFERENCE_PRECISION_HINT: for openvino: "bf16" is faster on some processors, with errors of 1e-2; our default is
                              "f32".

    On the CPU the first load of an alpha-input model takes longer than those after it: what it finds out is
    kept on disk, in the platform's cache folder or that of the environment variable DNI_CACHE_DIR (empty: none). A
    folder in which others can write is not used, and `Model.alpha_note` says so.

    Raises ModelError if the file cannot be read, ProviderError if the provider cannot run here, InputError
    for other arguments that make no sense.
    """
    file = Path(path)
    require_file(file)
    if str(file) != str(file).encode(errors="replace").decode():
        raise ModelError(f"{file} has a name that is not UTF-8, which ONNX Runtime cannot open; rename it")
    try:
        with np.errstate(all="ignore"):  # whatever a stranger's weights make is compared with what the file computes
            asked = Asked(provider, threads, _as_text(provider_options), alpha_policy, pin_cache_mib)
            opened = _open(file, asked)
    except DniError:
        raise
    except Exception as error:  # ONNX Runtime's errors have no common base but Exception
        raise explain(file, error) from error
    return Model(opened, file.name)


def _open(file: Path, asked: Asked) -> Opened:
    # What takes time to import is imported where it is needed: ONNX Runtime while a file's digest is computed, and onnx
    # not at all for a model that is known.
    if asked.may_be_known:
        state = state_of(file)
        digest = digest_aside(lambda: file_digest(file))
        from .opening.known import open_known

        if (opened := open_known(file, asked, state, digest)) is not None:
            return opened
    if asked.provider == FASTEST:
        from .fastest.opening import open_fastest

        return open_fastest(file, asked)
    from .opening.open_model import open_model

    return open_model(file, asked)


def _as_text(options: Mapping[str, object] | None) -> dict[str, str]:
    """Provider options as ONNX Runtime takes them: it makes text of numbers, too."""
    return {str(name): str(value) for name, value in (options or {}).items()}

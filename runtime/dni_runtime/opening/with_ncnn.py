"""Open a model in ncnn: only one that has a form for it, and only if that gives the answers of the file as it is."""

import numpy as np

from dni_runtime.errors import InputError, ModelError, ProviderError
from dni_runtime.metadata import Metadata
from dni_runtime.ncnn.form import read_form
from dni_runtime.ncnn.on_ncnn import OnNcnn
from dni_runtime.onnx_files.declared import Declared
from dni_runtime.providers.choosing import NCNN, why_not
from dni_runtime.providers.sessions import Place
from dni_runtime.signature import Signature, read_signature
from dni_runtime.weights.alpha_file import AlphaFile
from dni_runtime.weights.split import CannotPrepareError

from .asked import Asked
from .checking import check_equal
from .ways import BLENDS_ALWAYS, Ways


def open_ncnn(file: AlphaFile | None, asked: Asked) -> tuple[OnNcnn, Signature]:
    """A model in ncnn, checked against the graph in `file`, and its signature.

    Raises ProviderError where ncnn is not installed, ModelError for a file without a form for it, or with one that is
    not its own, InputError for options, of which ncnn has none.
    """
    if reason := why_not(NCNN):
        raise ProviderError(f"{NCNN} is not available: {reason}")
    if asked.provider_options:
        raise InputError(f"provider_options are {dict(asked.provider_options)}; ncnn takes none: leave them out")
    form = read_form(file.slim) if file is not None else None
    if file is None or form is None:
        raise ModelError(
            "the model has no form for ncnn; export it with --ncnn-form, or run it with another provider, such as cpu"
        )
    metadata = file.metadata or Metadata()
    signature = read_signature(Declared(file.slim), metadata)
    if signature.dtype != np.float32 or metadata.alpha_plane:
        raise ModelError("the model's form for ncnn is of another network than its graph; export the model again")
    try:
        limit = asked.pin_cache_bytes if asked.alpha_policy != "dynamic" else 0
        runner = OnNcnn(file.slim, file.path.parent, form, threads=asked.threads, limit_bytes=limit)
        plain = Ways(file, signature, metadata, Place("cpu", asked.threads), 0).plain(BLENDS_ALWAYS)
        check_equal(runner, plain, signature, metadata, half=False)
    except CannotPrepareError as error:
        raise ModelError(
            f"the model's form for ncnn does not give what its graph gives: {error}; export the model again, or run it "
            "with another provider, such as cpu"
        ) from None
    runner.forget()
    if signature.alpha_name is None:
        runner.note = "the model has no alpha input"
    return runner, signature

"""Baked files from an alpha-input file, without PyTorch: alpha pinned, and the blend computed by ONNX Runtime."""

from pathlib import Path

import onnx
import onnxruntime
from onnx.external_data_helper import uses_external_data
from onnx.numpy_helper import from_array

from dni_runtime import pin, read_metadata
from dni_runtime.onnx_files.explaining import explain
from dni_runtime.onnx_files.external_data import every_tensor, external_files, follow_links, read_tensor
from dni_runtime.onnx_files.reading import read_model

from .approach import Strength


def write_baked(model: Path, alpha: Strength, output: Path) -> Path:
    """Write the alpha-input file `model` with `alpha` baked in; as fast as what `dni-export --alpha` writes.

    The file holds one set of weights, and no more than ONNX Runtime's portable optimizations.
    """
    source = read_model(model)
    external_files(source, model)
    follow_links(source, model)
    folder = model.resolve().parent
    pinned = pin(source, alpha)
    metadata = read_metadata(source)
    if metadata is not None and metadata.dtype == "float16":
        # Optimized on a CPU the file would compute in float32 for good; a session on a GPU folds the blend too.
        _save_whole(pinned, folder, output)
        return output
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # Differences stored in int8 are folded, too: ONNX Runtime keeps a DequantizeLinear for int8 arithmetic otherwise.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.optimized_model_filepath = str(output)
    # From bytes: weights in other files are looked for in this folder.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    try:
        onnxruntime.InferenceSession(pinned.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base but Exception
        raise explain(model, error) from error
    # What all endpoints share is folded into nothing, and is left where it was, in files beside the model or in itself.
    _save_whole(onnx.load(output, load_external_data=False), folder, output)
    return output


def _save_whole(model: onnx.ModelProto, folder: Path, output: Path) -> None:
    """Write `model` with all its weights in it, of which some may lie in files of `folder`."""
    for tensor in every_tensor(model):
        if uses_external_data(tensor):
            tensor.CopyFrom(from_array(read_tensor(tensor, folder), tensor.name))
    onnx.save(model, output)

"""Baked files from an alpha-input file, without PyTorch: alpha pinned, and the blend computed by ONNX Runtime."""

from pathlib import Path

import onnx
import onnxruntime

from dni_runtime import pin, read_metadata

from .approach import Strength


def write_baked(model: Path, alpha: Strength, output: Path) -> Path:
    """Write the alpha-input file `model` with `alpha` baked in; as fast as what `dni-export --alpha` writes.

    The file holds one set of weights, and no more than ONNX Runtime's portable optimizations.
    """
    source = onnx.load(model, load_external_data=False)
    pinned = pin(source, alpha).SerializeToString()
    metadata = read_metadata(source)
    if metadata is not None and metadata.dtype == "float16":
        # Optimized on a CPU the file would compute in float32 for good; a session on a GPU folds the blend too.
        output.write_bytes(pinned)
        return output
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # Differences stored in int8 are folded, too: ONNX Runtime keeps a DequantizeLinear for int8 arithmetic otherwise.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.optimized_model_filepath = str(output)
    # From bytes: weights in other files are looked for in this folder.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(model.parent))
    onnxruntime.InferenceSession(pinned, options, providers=["CPUExecutionProvider"])
    return output

"""Load DNI Model: a file of the folder models/dni, or of those that extra_model_paths.yaml calls `dni`."""

import logging
import os
import sys
from types import ModuleType

import folder_paths
from comfy_api.v0_0_2 import io

FOLDER = "dni"
SUFFIXES = {".onnx", ".ort"}
# Those of dni_runtime, written down so that the node is whole without it.
PROVIDERS = ["auto", "fastest", "cpu", "cuda", "tensorrt", "openvino", "ncnn"]
CATEGORY = "DNI"

DniModel = io.Custom("DNI_MODEL")


def register_folder() -> None:
    """Tell ComfyUI where models are, beside the folders that extra_model_paths.yaml has told it already."""
    own = os.path.join(folder_paths.models_dir, FOLDER)
    os.makedirs(own, exist_ok=True)
    folder_paths.add_model_folder_path(FOLDER, own)
    paths, _ = folder_paths.folder_names_and_paths[FOLDER]
    folder_paths.folder_names_and_paths[FOLDER] = (paths, SUFFIXES)


def runtime() -> ModuleType:
    """The package `dni_runtime`. Raises RuntimeError with the remedy where it, or what it needs, is not installed."""
    try:
        import dni_runtime
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f"this node needs dni-deploy in the Python that runs ComfyUI, and {error.name} is not installed there; in "
            f'a clone of dni-deploy: "{sys.executable}" -m pip install .   (then restart ComfyUI)'
        ) from error
    return dni_runtime


def path_of(model_name: str) -> str:
    """Where the file is. Raises ValueError where it is in none of the folders: a workflow may be another machine's."""
    path: str | None = folder_paths.get_full_path(FOLDER, model_name)
    if path is None:
        folders = " or ".join(folder_paths.get_folder_paths(FOLDER))
        raise ValueError(
            f"there is no model {model_name} in {folders}; put it there (dni-export makes such files), or choose "
            f"another: {', '.join(folder_paths.get_filename_list(FOLDER)) or 'there is none yet'}"
        )
    return path


class LoadModel(io.ComfyNode):
    """The node; ComfyUI keeps what it gives until another input or file takes its place."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Asked again whenever the page is refreshed: the files are those of that moment."""
        return io.Schema(
            node_id="DNILoadModel",
            display_name="Load DNI Model",
            category=CATEGORY,
            description="Loads an ONNX file from the folder models/dni, such as dni-export --alpha-input writes.",
            inputs=[
                io.Combo.Input(
                    "model_name",
                    options=folder_paths.get_filename_list(FOLDER),
                    tooltip="A file of the folder models/dni (.onnx, .ort).",
                ),
                io.Combo.Input(
                    "provider",
                    options=PROVIDERS,
                    default="auto",
                    tooltip="Where it runs: auto is the GPU where CUDA works for ONNX Runtime, else the CPU; fastest "
                    "measures the engines for CPUs. One that is named runs, or says why it cannot.",
                ),
                io.Int.Input(
                    "threads",
                    default=0,
                    min=0,
                    max=256,
                    tooltip="Threads for one operator on the CPU; 0 leaves the choice to the engine.",
                ),
            ],
            outputs=[DniModel.Output(display_name="model")],
        )

    @classmethod
    def fingerprint_inputs(cls, model_name: str, provider: str, threads: int) -> str:
        """Of the file as it is: one that was exported again is loaded again."""
        state = os.stat(path_of(model_name))
        return f"{state.st_mtime_ns} {state.st_size}"

    @classmethod
    def execute(cls, model_name: str, provider: str, threads: int) -> io.NodeOutput:
        """Load it. Raises what `dni_runtime.load` does, which ComfyUI shows."""
        model = runtime().load(path_of(model_name), provider, threads=threads or None)
        logging.info("%s runs on %s: %s", model_name, model.provider, model.provider_note)
        return io.NodeOutput(model)


register_folder()

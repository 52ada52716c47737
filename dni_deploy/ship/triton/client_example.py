"""client.py, written beside a repository's models: a dozen lines that send a photograph.

Names of tensors are a stranger's, and become Python literals by `ascii`; that of the model is letters, digits and ._-
"""

from dni_deploy.image_files.read_write import IMAGE_FORMATS
from dni_deploy.ship.model_file import ModelFile

from .contract import can_choose

_HEAD = '''"""Send a picture to {name}: python client.py PHOTO{alpha_argument} RESULT [HOST:PORT]

Needs: pip install "tritonclient[http]" pillow
"""

import sys
{imports}
import numpy as np
import tritonclient.http as triton
from PIL import Image

FORMATS = {formats}  # Pillow knows 40 others, and runs programs for some
photo, {alpha_variable}result, address = [*sys.argv[1:], "127.0.0.1:8000"][:{count}]
'''

_IMAGE = """image = np.asarray(Image.open(photo, formats=FORMATS).convert("RGB"))[None]  # uint8 (1, height, width, 3)
inputs = [triton.InferInput("image", image.shape, "UINT8")]
inputs[0].set_data_from_numpy(image)
"""

_TENSOR = """pixels = np.asarray(Image.open(photo, formats=FORMATS).convert("RGB"), {dtype})
x = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]) / {dtype}(255)  # (1, 3, height, width), 0..1{multiple}
inputs = [triton.InferInput({image}, x.shape, "{kind}")]
inputs[0].set_data_from_numpy(x)
"""

_ALPHA = """inputs.append(triton.InferInput({alpha}, {shape}, "{kind}"))
inputs[-1].set_data_from_numpy(np.array(alpha.split(","), {dtype}).reshape({shape}))
"""

_KNOBS = """for name, value in zip({names}, alpha.split(","), strict=True):
    inputs.append(triton.InferInput(name, [1], "FP32"))
    inputs[-1].set_data_from_numpy(np.array([value], np.float32))
"""

_ALPHA_OR_AUTO = """if alpha == "auto":  # by the noise in the picture
    inputs.append(triton.InferInput("auto", [1, 1], "BOOL"))
    inputs[-1].set_data_from_numpy(np.array([[True]]))
else:
    inputs.append(triton.InferInput("alpha", [1, 1], "FP32"))
    inputs[-1].set_data_from_numpy(np.array([[alpha]], np.float32))
"""

_NEAREST = """alphas = json.loads(Path(__file__).with_name("index.json").read_text())["alphas"]
wanted = np.array(alpha.split(","), float)
model = alphas[min(alphas, key=lambda baked: abs(np.array(baked.split(","), float) - wanted).sum())]
"""

_SEND = """with triton.InferenceServerClient(address, connection_timeout=600, network_timeout=600) as client:
    answer = client.infer({model}, inputs)
"""

_SAVE_IMAGE = """Image.fromarray(answer.as_numpy("output_image")[0]).save(result)
"""

_SAVE_TENSOR = """y = np.clip(answer.as_numpy({output})[0].astype(np.float32), 0, 1).transpose(1, 2, 0)
Image.fromarray(np.rint(y * 255).astype(np.uint8)).save(result)
"""


def client_example(name: str, model: ModelFile, backend: str, *, baked: bool) -> str:
    """The text of client.py for the model `name`; `baked`: the one of the nearest alpha in index.json."""
    takes_alpha = baked or model.alpha is not None
    head = _HEAD.format(
        name="the model of the nearest alpha" if baked else name,
        formats=list(IMAGE_FORMATS),
        imports="import json\nfrom pathlib import Path\n" if baked else "",
        alpha_argument=" ALPHA" if takes_alpha else "",
        alpha_variable="alpha, " if takes_alpha else "",
        count=4 if takes_alpha else 3,
    ).replace("import sys\nimport json\n", "import json\nimport sys\n")
    sizes = model.metadata.sizes
    multiple = f", both sizes multiples of {sizes.multiple}" if sizes.multiple > 1 else ""
    multiple += ", and alike" if sizes.square else ""
    send = _IMAGE
    if backend != "python":
        dtype = "np.float16" if model.image.data_type == "TYPE_FP16" else "np.float32"
        kind = model.image.data_type.removeprefix("TYPE_")
        send = _TENSOR.format(dtype=dtype, multiple=multiple, image=ascii(model.image.name), kind=kind)
    if baked:
        send += _NEAREST
    elif backend == "python" and can_choose(model):
        send += _ALPHA_OR_AUTO
    elif len(model.alphas) > 1 and backend != "python":
        send += _KNOBS.format(names=ascii([alpha.name for alpha in model.alphas]))
    elif model.alpha is not None:
        half = backend != "python" and model.alpha.data_type == "TYPE_FP16"
        shape = [1, model.alpha_count] if backend == "python" else [model.alpha_count]
        dtype, kind = ("np.float16", "FP16") if half else ("np.float32", "FP32")
        send += _ALPHA.format(alpha=ascii(model.alpha.name if backend != "python" else "alpha"), shape=shape,
                              kind=kind, dtype=dtype)  # fmt: skip
    save = _SAVE_IMAGE if backend == "python" else _SAVE_TENSOR.format(output=ascii(model.output.name))
    return head + "\n" + send + _SEND.format(model="model" if baked else ascii(name)) + save

"""What users do with a model from a stranger: inspect it, load and call it, ship it to Triton and to browsers."""

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from attempt import Answer
from case import Place
from commands import dni, judge, judge_raised
from numpy.typing import NDArray
from outcome import EXECUTED, RIGHT, WRONG

_ALPHA = 0.25
_SIDE = 16
_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Kit:
    """`ort_web`: a folder with the npm package onnxruntime-web."""

    ort_web: Path

    def inspect(self, place: Place, file: Path) -> Answer:
        return judge(dni(place, "inspect", file))

    def load(self, place: Place, file: Path) -> Answer:
        """`dni_runtime.load` and a call with a small image, compared with ONNX Runtime's own answer."""
        import dni_runtime

        shape = _image_shape(file)
        x = np.random.default_rng(1).random(shape, np.float32)
        try:
            with dni_runtime.load(file, "cpu", threads=1) as model:
                try:
                    y, alpha = model(x, _ALPHA), _ALPHA
                except dni_runtime.AlphaError:
                    y, alpha = model(x), None  # a model without alpha, or with a range of its own
        except Exception as error:
            return judge_raised(error)
        return _compare(y, file, x, alpha)

    def triton(self, place: Place, file: Path) -> Answer:
        """`dni ship triton`: what it generates is read by the parsers of those formats."""
        repository = place.outputs / "repo"
        said = dni(place, "ship", "triton", file, "-o", repository, "--no-warmup")
        answer = judge(said)
        return _look_at_repository(repository) if answer.result == RIGHT else answer

    def web(self, place: Place, file: Path) -> Answer:
        """`dni ship web`: whatever names say, the page is the one that we ship, and the rest is JSON."""
        site = place.outputs / "site"
        said = dni(place, "ship", "web", file, "-o", site, "--ort", self.ort_web, "--no-webgpu")
        answer = judge(said)
        return _look_at_site(site) if answer.result == RIGHT else answer


def _image_shape(file: Path) -> list[int]:
    """Of the model's first input that no initializer fills, free sizes small; of a model that cannot be read, any."""
    import onnx

    try:
        graph = onnx.load(file, load_external_data=False).graph if file.is_file() else onnx.GraphProto()
    except Exception:  # garbage; the runtime is asked all the same
        graph = onnx.GraphProto()
    filled = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        if value.name not in filled:
            sizes = [d.dim_value for d in value.type.tensor_type.shape.dim]
            if 0 < len(sizes) <= 4 and all(size <= 64 for size in sizes):
                free = [1, _CHANNELS, _SIDE, _SIDE][: len(sizes)]
                return [size if size > 0 else free[i] for i, size in enumerate(sizes)]
            break
    return [1, _CHANNELS, _SIDE, _SIDE]


def _compare(y: NDArray[Any], file: Path, x: NDArray[np.float32], alpha: float | None) -> Answer:
    import onnxruntime

    try:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_inputs()]
        kind = {"tensor(float16)": np.float16}.get(session.get_inputs()[0].type, np.float32)
        feed = {names[0]: x.astype(kind)}
        if len(names) > 1:
            feed[names[1]] = np.full(session.get_inputs()[1].shape, alpha, kind)
        expected = session.run([session.get_outputs()[0].name], feed)[0]
    except Exception:
        return Answer(RIGHT, "without a reference")
    with np.errstate(all="ignore"):
        finite = np.isfinite(expected)
        if y.shape != expected.shape:
            return Answer(WRONG, f"shape {y.shape}, ONNX Runtime has {expected.shape}")
        worst = float(np.abs(np.where(finite, y - expected, 0)).max(initial=0))
        bound = 1e-3 * max(1.0, float(np.abs(np.where(finite, expected, 0)).max(initial=0)))
    return Answer(WRONG, f"off by {worst:.3g} from ONNX Runtime") if not worst <= bound else Answer(RIGHT)


def _look_at_repository(repository: Path) -> Answer:
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    try:
        client = ast.parse((repository / "client.py").read_text())
    except SyntaxError as error:
        return Answer(WRONG, f"client.py is no Python: {error}")
    for node in ast.walk(client):
        if getattr(node, "id", getattr(node, "attr", "")) in ("__import__", "system", "eval", "exec"):
            return Answer(EXECUTED, "client.py runs what a name says")
    for config in repository.glob("*/config.pbtxt"):
        try:
            read = text_format.Parse(config.read_text(), model_config_pb2.ModelConfig())
        except text_format.ParseError as error:
            return Answer(WRONG, f"config.pbtxt cannot be read: {error}")
        names = [value.name for value in (*read.input, *read.output)]
        if "python" not in read.backend and (odd := _names_differ(names, config.parent)):
            return Answer(WRONG, odd)
    json.loads((repository / "index.json").read_text())
    return Answer(RIGHT)


def _names_differ(names: list[str], folder: Path) -> str:
    import onnx

    file = next(folder.glob("*/model.onnx"), None)
    if file is None:
        return ""
    graph = onnx.load(file, load_external_data=False).graph
    known = {value.name for value in (*graph.input, *graph.output)}
    odd = [name for name in names if name not in known]
    return f"config.pbtxt names a tensor {odd[0]!r} that the model does not have" if odd else ""


def _look_at_site(site: Path) -> Answer:
    import dni_deploy.ship.web

    ours = Path(dni_deploy.ship.web.__file__).parent / "site"
    for page in ours.rglob("*.html"):
        if page.read_bytes() != (site / page.relative_to(ours)).read_bytes():
            return Answer(EXECUTED, f"{page.name} is not the page that we ship")
    for text in (site / "site.json", *(site / "models").glob("*.json")):
        try:
            json.loads(text.read_text(), parse_constant=_refuse)
        except ValueError as error:
            return Answer(WRONG, f"{text.name}: {error}")
    return Answer(RIGHT)


def _refuse(name: str) -> None:
    raise ValueError(f"browsers do not read {name}")

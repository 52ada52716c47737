"""The request that every server has to answer rightly, whatever it was asked before."""

import http.client
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from answers import LIMIT_S
from served import Server

MODEL = "good"
IMAGE = np.random.default_rng(5).integers(0, 256, (1, 16, 16, 3), np.uint8)


def problem_of(server: Server, image: np.ndarray, expected: np.ndarray) -> str:
    """What keeps a good request from coming out right, or ""; a server may take seconds to start something anew."""
    problem, deadline = "", time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        try:
            body = json.dumps(good_body(image))
            connection = http.client.HTTPConnection(server.http, timeout=LIMIT_S)
            connection.request("POST", f"/v2/models/{MODEL}/infer", body)
            response = connection.getresponse()
            data = response.read()
            connection.close()
            if response.status == 200:
                pixels = np.array(json.loads(data)["outputs"][0]["data"]).reshape(expected.shape)
                return "wrong" if np.abs(pixels - expected).max() > 1 else ""
            problem = f"{response.status} {data[:160]!r}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"
        time.sleep(0.2)
    return problem


def good_body(image: np.ndarray, alpha: float = 0.5) -> dict[str, Any]:
    return {"inputs": [
        {"name": "image", "shape": list(image.shape), "datatype": "UINT8", "data": image.ravel().tolist()},
        {"name": "alpha", "shape": [1, 1], "datatype": "FP32", "data": [alpha]},
    ]}  # fmt: skip


def expected(model: Path) -> np.ndarray:
    """ONNX Runtime's answer, in 8 bits."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    x = (IMAGE.astype(np.float32) / 255).transpose(0, 3, 1, 2)
    y = session.run(None, {"input": x, "alpha": np.array([0.5], np.float32)})[0]
    return np.rint(y.transpose(0, 2, 3, 1).clip(0, 1) * 255).astype(int)

"""Models whose alpha is a place on a path: of a network with BatchNorm, and middles that nobody fitted."""

from pathlib import Path
from typing import Any

import numpy as np
from networks import Weights, pair

from dni_exporters import export
from dni_runtime.shares import Path as AlphaPath

# A curve, a cubic one, and a path of straight pieces and curves, by what they are called.
PATHS = {
    "quadratic": AlphaPath((1.0, 0.0), (1,)),
    "cubic": AlphaPath((1.0, 0.0), (2,)),
    "straight": AlphaPath((0.0, 1.0, 2.0, 4.0), (0, 0, 0)),
}


def path_model(folder: Path, kind: str, **options: Any) -> Path:
    """The model of PATHS[kind], exported once for all tests (`folder` is theirs)."""
    told = [f"-{name}-{value}" for name, value in options.items()]
    file = folder / "along" / f"{kind}{''.join(told)}.onnx"
    if not file.exists():
        path, states, network = PATHS[kind], endpoints(PATHS[kind].count), pair("batch_norm")[0]
        if kind == "straight":
            options |= {"path": True, "at": path.knots}
        else:
            options |= {"curve": True, "through": states[1:-1]}
            states = [states[0], states[-1]]
        export(states, file, alpha_input=True, arch=network, verdict=False, **options)
    return file


def endpoints(count: int) -> list[Weights]:
    """Endpoints of the network, in the order of a path."""
    _, a, b = pair("batch_norm")
    floats = {name for name, tensor in a.items() if tensor.is_floating_point()}
    parts = np.linspace(0, 1, count).tolist()
    between = [{k: (1 - p + p**2) * a[k] + p * b[k] if k in floats else a[k] for k in a} for p in parts[1:-1]]
    return [a, *between, b]


def places(path: AlphaPath) -> list[float]:
    """Knots, the float32 beside each that are on the path, and what lies between."""
    found = [b + part * (a - b) for a, b in zip(path.knots[:-1], path.knots[1:], strict=True) for part in (0.9, 0.31)]
    low, high = path.range
    for knot in np.array(path.knots, np.float32):
        beside = (np.nextafter(knot, np.float32(end)) for end in (low, high))
        found += [float(knot), *(float(place) for place in beside if low <= place <= high)]
    return found

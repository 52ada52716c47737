"""A process that makes one picture: `first_picture.py WAY FILE SIZE [OUTPUT]`; prints a line when it is there."""

import sys
from pathlib import Path

import numpy as np

way, file, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
x = np.random.default_rng(0).uniform(0, 1, (1, 3, size, size)).astype(np.float32)
if way == "plain":
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    y = session.run(None, {session.get_inputs()[0].name: x})[0]
else:
    import dni_runtime

    y = dni_runtime.load(file, "cpu")(x, 0.3)
print("there", flush=True)
if len(sys.argv) > 4:
    np.save(sys.argv[4], y)
# Of this program alone; what getrusage tells begins with the process that started it.
(peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(peak)

"""How far a written file may be from PyTorch, of max(1, |reference|max)."""

# Float32: rounding of a few thousand sums taken in another order. Float16 keeps 11 bits (5e-4) of every weight and
# activation; the networks of the tests and an RRDBNet of 23 blocks were measured to reach 2.5e-3, and deeper ones get
# room.
_OF_DTYPE = {"float32": 1e-5, "float16": 2e-2}
# Of weights stored in fewer bits. Measured (benchmarks/delta, the demo pair and an untrained Compact of 34 layers):
# float16 2e-4 to 7e-4, int8 2e-4 to 3.4e-3. Two steps of an 8-bit image is what nobody sees.
_OF_DELTA = {None: 0.0, "float16": 2e-3, "int8": 2 / 255}
# Of files for ncnn whose weights are stored as float16 and computed with in float32. Measured: 2e-4 (bundled pair) to
# 3.4e-3 (Real-CUGAN pro); as above, what nobody sees.
STORED_AS_FLOAT16 = 2 / 255


def tolerance_of(dtype: str, delta: str | None) -> float:
    """The tolerance for models of `dtype` whose differences are stored as `delta`, where the user sets none."""
    return max(_OF_DTYPE[dtype], _OF_DELTA[delta])

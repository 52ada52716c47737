"""How old a reader may be: the version of the file format (IR) and the one of the operators (opset) belong together.

Readers refuse a file of a newer IR version, whatever is in it. Which operator set came out with which IR version is in
onnx.helper.VERSION_TABLE, from onnx/docs/Versioning.md.
"""

from __future__ import annotations

from dni_runtime import ExportError

# The first is the oldest of which PyTorch writes an operator set, the last the newest that ONNX Runtime 1.31 reads.
_IR_VERSIONS = range(8, 14)
# What PyTorch makes where nothing is asked for.
_OWN_OPSET = 20


def opset_for(ir_version: int) -> int:
    """The operator set for a file of `ir_version`: PyTorch's own, or the newest that such a file may use."""
    return min(_OWN_OPSET, _newest_opset(ir_version))


def least_ir_version(opset: int) -> int:
    """The IR version that `opset` came out with; that of the newest known one where it is newer still."""
    known = _least_ir_versions()
    return known.get(opset, max(known.values()))


def check_ir_version(ir_version: int, opset: int | None) -> None:
    """Raise ExportError where no file can be of `ir_version`, or none with `opset`."""
    if ir_version not in _IR_VERSIONS:
        raise ExportError(
            f"--ir-version is {ir_version!r:.100}; expected a whole number from {_IR_VERSIONS[0]} to {_IR_VERSIONS[-1]}"
        )
    if opset is not None and ir_version < (least := least_ir_version(opset)):
        raise ExportError(
            f"--opset {opset} needs IR version {least} or later, --ir-version asked for {ir_version}, whose newest "
            f"operator set is {_newest_opset(ir_version)}; leave one of the two out"
        )


def _newest_opset(ir_version: int) -> int:
    return max(opset for opset, least in _least_ir_versions().items() if least <= ir_version)


def _least_ir_versions() -> dict[int, int]:
    from onnx.helper import VERSION_TABLE

    found: dict[int, int] = {}
    for _, ir_version, opset, *_ in VERSION_TABLE:
        found.setdefault(opset, ir_version)
    return found

"""Every error that dni-deploy raises on purpose.

    DniError
    ├── AlphaError          alpha is missing, not finite, or outside the model's range (also a ValueError)
    ├── InputError          an image, tensor or argument of the wrong shape, dtype or range (also a ValueError)
    ├── ModelError          the ONNX file cannot be read or run
    ├── ProviderError       the execution provider that was asked for is not there
    ├── CheckpointError     a checkpoint cannot be read safely, or holds no weights
    ├── ArchitectureError   no network fits the checkpoint
    ├── EndpointError       the endpoints cannot be blended with each other
    ├── ExportError         the network cannot be written as the ONNX model that was asked for
    │   └── ParityError     the ONNX model does not compute what PyTorch computes
    └── OutputError         the output exists already or cannot be written

A message says what failed, what was found, what was expected and what to do about it.
"""


class DniError(Exception):
    """Base of all errors of dni-deploy; its message is meant for the person at the keyboard.

    One of several lines is given as several arguments: what else is in it may be a stranger's, and is no new line.
    """

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


class AlphaError(DniError, ValueError):
    """Alpha is missing, not finite, or outside the range that the model was exported for."""


class InputError(DniError, ValueError):
    """An image, a tensor or an argument has the wrong shape, dtype or range."""


class ModelError(DniError):
    """The ONNX file cannot be read or run."""


class ProviderError(DniError):
    """The execution provider that was asked for is not available here."""


class CheckpointError(DniError):
    """A checkpoint cannot be read safely, or holds no weights."""


class ArchitectureError(DniError):
    """No network fits the checkpoint."""


class EndpointError(DniError):
    """The endpoints cannot be blended with each other."""


class ExportError(DniError):
    """The network cannot be written as the ONNX model that was asked for."""


class ParityError(ExportError):
    """The ONNX model does not compute what PyTorch computes."""


class OutputError(DniError):
    """The output exists already or cannot be written."""

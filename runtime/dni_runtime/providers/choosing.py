"""Which provider, and what it lacks on this machine; never silently another one than was asked for."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple

from dni_runtime.errors import ProviderError

from .chains import CHAINS
from .nvidia import missing_device, missing_libraries, no_such_device

OPENVINO, NCNN, FASTEST = "openvino", "ncnn", "fastest"
PROVIDERS = ("auto", FASTEST, *CHAINS, OPENVINO, NCNN)
"""The names that `load` takes."""

AUTO = ("cuda", "cpu")
"""What `auto` tries, in this order."""
ON_NVIDIA = ("cuda", "tensorrt")
ON_CPU = ("cpu", OPENVINO, NCNN)
"""What `fastest` chooses from: the engines that compute in float32 on the CPU; the first is always there."""


class Choice(NamedTuple):
    """A provider, not `auto`, and one sentence on why that one."""

    provider: str
    note: str


def resolve(provider: str) -> Choice | None:
    """The provider that `provider` stands for; None where only a try can tell.

    Raises ProviderError where `provider` is unknown.
    """
    if provider not in PROVIDERS:
        raise ProviderError(f"provider is {provider!r}; expected one of {', '.join(PROVIDERS)}")
    if provider != "auto":
        return Choice(provider, f"{provider} was asked for")
    reasons = [(name, why_not(name)) for name in AUTO[:-1]]
    if all(reason for _, reason in reasons):
        missing = "; ".join(f"{name} is not available: {reason}" for name, reason in reasons)
        return Choice(AUTO[-1], f"auto chose {AUTO[-1]}: {missing}")
    return None


def require_available(provider: str, options: Mapping[str, str]) -> None:
    """Raise ProviderError where `provider` lacks something on this machine, or the GPU that its options name."""
    if reason := why_not(provider) or (no_such_device(options) if provider in ON_NVIDIA else None):
        raise ProviderError(f"{provider} is not available: {reason}")


def why_not(provider: str) -> str | None:
    """One sentence on what `provider` lacks on this machine, None where nothing is known to be missing."""
    if provider == "cpu":
        return None
    if provider in (OPENVINO, NCNN):
        return None if find_spec(provider) else f'it is not installed: pip install "dni-deploy[{provider}]"'
    import onnxruntime

    wanted = CHAINS[provider][0][0]
    if wanted not in onnxruntime.get_available_providers():
        return (
            f"the installed onnxruntime {onnxruntime.__version__} has no {provider} build; "
            'pip uninstall onnxruntime, then pip install "dni-deploy[cuda]"'
        )
    return missing_device() or missing_libraries()

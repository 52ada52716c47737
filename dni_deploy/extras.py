"""Optional parts: imported when they are needed, with the pip command in the error where they are missing."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import ModuleType

from dni_runtime import DniError

_RAY_PACKAGES = ("fsspec", "numpy", "pandas", "pyarrow", "ray")
_TRITON_PACKAGES = ("google", "grpc", "packaging", "rapidjson", "tritonclient", "urllib3")


def import_model_config() -> ModuleType:
    """Triton's configuration messages, `tritonclient.grpc.model_config_pb2`. Raises DniError without the extra."""
    with _named("triton", "reading and writing Triton's configuration", _TRITON_PACKAGES):
        try:
            from tritonclient.grpc import model_config_pb2
        except RuntimeError as error:  # which it makes of a missing gRPC
            raise (error.__cause__ if isinstance(error.__cause__, ModuleNotFoundError) else error) from None
        module: ModuleType = model_config_pb2
    return module


def import_ray() -> ModuleType:
    """Ray with Ray Data. Raises DniError without the extra."""
    with _named("ray", "running over a cluster", _RAY_PACKAGES):
        import ray
        import ray.data

        module: ModuleType = ray
    return module


def import_av() -> ModuleType:
    """FFmpeg's libraries. Raises DniError without the extra."""
    with _named("video", "reading and writing films", ("av",)):
        import av

        module: ModuleType = av
    return module


def import_tifffile() -> ModuleType:
    """What reads TIFF files that Pillow does not. Raises DniError without the extra."""
    with _named("photographs", "reading TIFF files of 16 bits in colours, or of floating-point values,", ("tifffile",)):
        import tifffile

        module: ModuleType = tifffile
    return module


def import_imagecodecs(purpose: str) -> ModuleType:
    """Decoders that Pillow does not have. Raises DniError without the extra."""
    with _named("photographs", purpose, ("imagecodecs",)):
        import imagecodecs

        module: ModuleType = imagecodecs
    return module


def import_pillow_heif() -> ModuleType:
    """What reads HEIC files. Raises DniError without the extra."""
    with _named("photographs", "reading HEIC files", ("pillow_heif",)):
        import pillow_heif

        module: ModuleType = pillow_heif
    return module


@contextmanager
def _named(extra: str, purpose: str, packages: Collection[str]) -> Iterator[None]:
    """Turn the lack of one of `packages` into a DniError; a fault in our own imports stays one."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in packages:
            raise
        raise DniError(
            f'{purpose} needs {error.name}, which is not installed: pip install "dni-deploy[{extra}]"'
        ) from None

"""Optional parts: imported when they are needed, with the pip command in the error where they are missing."""

from types import ModuleType

from dni_runtime import DniError

_RAY_PACKAGES = ("fsspec", "numpy", "pandas", "pyarrow", "ray")
_TRITON_PACKAGES = ("google", "grpc", "packaging", "rapidjson", "tritonclient", "urllib3")


def import_model_config() -> ModuleType:
    """Triton's configuration messages, `tritonclient.grpc.model_config_pb2`. Raises DniError without the extra."""
    try:
        from tritonclient.grpc import model_config_pb2
    except (ModuleNotFoundError, RuntimeError) as error:
        # Without gRPC, tritonclient turns the first into the second.
        missing = error if isinstance(error, ModuleNotFoundError) else error.__cause__
        name = missing.name if isinstance(missing, ModuleNotFoundError) else None
        if name is None or name.split(".")[0] not in _TRITON_PACKAGES:
            raise
        raise DniError(
            f"reading and writing Triton's configuration needs {name}, which is not installed: "
            'pip install "dni-deploy[triton]"'
        ) from None
    module: ModuleType = model_config_pb2
    return module


def import_ray() -> ModuleType:
    """Ray with Ray Data. Raises DniError without the extra."""
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in _RAY_PACKAGES:
            raise
        raise DniError(
            f'running over a cluster needs {error.name}, which is not installed: pip install "dni-deploy[ray]"'
        ) from None
    module: ModuleType = ray
    return module

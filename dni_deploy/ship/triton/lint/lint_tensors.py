"""The part of the lint that compares a configuration's tensors and batching with the ONNX file."""

from collections.abc import Iterator
from typing import Any

from dni_deploy.ship.model_file import ModelFile
from dni_deploy.ship.triton.contract import ALPHA, AUTO, Contract, Port, contract
from dni_deploy.ship.triton.model_folder.config_file import data_type


def check_tensors(config: Any, model: ModelFile, backend: str) -> Iterator[str]:
    """What in `config` does not fit `model` on `backend`, one sentence each."""
    expected = contract(model, backend)
    yield from _check_scheduling(config, model, expected)
    if backend == "onnxruntime" and model.alpha is not None and model.alpha.dims == ():
        yield _rank_0("the ONNX file's alpha")
    for kind, values, ports in (("input", config.input, expected.inputs), ("output", config.output, expected.outputs)):
        yield from _check_names(kind, values, ports)
        known = {port.name: port for port in ports}
        for value in values:
            if value.name in known:
                yield from _check_value(kind, value, known[value.name], config.max_batch_size, expected)


def _check_scheduling(config: Any, model: ModelFile, expected: Contract) -> Iterator[str]:
    scheduling = config.WhichOneof("scheduling_choice")
    if expected.batched:
        if scheduling not in (None, "dynamic_batching"):
            yield f"{scheduling} does not fit a model that answers every request by itself; expected dynamic_batching"
        if config.max_batch_size < 1:
            yield f"max_batch_size is {config.max_batch_size}; expected 1 or more, the tensors have a batch axis"
        if config.model_transaction_policy.decoupled:
            yield "model_transaction_policy is decoupled; expected one answer for each request"
    elif (config.max_batch_size or scheduling) and model.alpha is not None:
        what = f"max_batch_size is {config.max_batch_size}" if config.max_batch_size else f"{scheduling} is on"
        yield (
            f"{what}; expected 0 and no batching: requests of different alphas would run as one, "
            "and be answered with another's alpha. To batch them rightly, ship with --backend python"
        )
    elif config.max_batch_size and model.image.dims[0] != -1:
        yield f"max_batch_size is {config.max_batch_size}, but the model takes batches of {model.image.dims[0]} only"


def _check_names(kind: str, values: Any, ports: tuple[Port, ...]) -> Iterator[str]:
    named = [value.name for value in values]
    wanted = [port.name for port in ports]
    for name in wanted:
        if name not in named:
            yield f"{kind} {name!r} is missing"
    for name in named:
        if name not in wanted:
            yield f"{kind} {name!r} is none of the model's: {', '.join(wanted)}"
    for name in {name for name in named if named.count(name) > 1}:
        yield f"{kind} {name!r} is there {named.count(name)} times"


def _check_value(kind: str, value: Any, port: Port, max_batch: int, expected: Contract) -> Iterator[str]:
    name = f"{kind} {value.name!r}"
    if data_type(value) != port.data_type:
        yield f"{name} has data_type {data_type(value)}; expected {port.data_type}"
    dims = tuple(value.reshape.shape) if value.HasField("reshape") else tuple(value.dims)
    if max_batch and not expected.batched:
        dims = (-1, *dims)
    if value.name == ALPHA and dims == ():
        yield _rank_0(name)
    elif not _fits(dims, port.dims, exactly=expected.batched):
        yield f"{name} has dims {list(dims)}; expected {list(port.dims)}"
    if kind == "input" and value.optional and not port.optional:
        yield (
            f"{name} is optional, but the model has no default for it"
            + (
                "; export with --alpha-default X, or make it required"
                if value.name.startswith(ALPHA)
                else "; make it required"
            )
        )
    if kind == "input" and expected.batched and port.optional and not value.optional and value.name != ALPHA:
        why = "whoever sends alpha leaves it out" if value.name == AUTO else "a request holds one of image and input"
        yield f"{name} is required; expected optional: {why}"


def _fits(dims: tuple[int, ...], onnx_dims: tuple[int, ...], *, exactly: bool) -> bool:
    """A size that the file leaves free may be fixed; one that it fixes may not be left free."""
    if exactly or len(dims) != len(onnx_dims):
        return dims == onnx_dims
    return all(size == found or found == -1 for size, found in zip(dims, onnx_dims, strict=True))


def _rank_0(what: str) -> str:
    return (
        f"{what} has rank 0: Triton joins requests of different alphas and answers them with one, without an error; "
        "expected [1], as dni-export --alpha-input writes it"
    )

"""Networks that spandrel knows: which of them a checkpoint is, built as spandrel builds it from the file."""

import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from dni_exporters.checkpoints.checkpoint import Checkpoint, candidates
from dni_exporters.checkpoints.endpoints import is_leftover
from dni_exporters.networks.network_code import message
from dni_runtime import ArchitectureError

from .within_bounds import check_scale, within_bounds

# Beside the tensors of a checkpoint, to be tried one by one.
_MOST_VALUES = 8
# Any network that draws is found out when it runs (`networks.randomness`). To build the published one of these takes
# half a minute and 10 GB first.
_DRAWS = "AuraSR"


class UnknownNetworkError(ArchitectureError):
    """Of names that belong to no network that spandrel knows."""


def describe(arch: str, checkpoint: Checkpoint) -> Any:
    """spandrel's description of the network in `checkpoint`: the network with its weights, and what it takes.

    `arch` is `auto` or a name that spandrel knows. Raises ArchitectureError where there is no such network.
    """
    try:
        from spandrel import MAIN_REGISTRY, ImageModelDescriptor, ModelLoader, UnsupportedModelError
    except ImportError:
        raise ArchitectureError(
            'detecting the network needs spandrel: pip install "dni-deploy[export]"; or name it: --arch module:callable'
        ) from None
    make = ModelLoader(device="cpu").load_from_state_dict
    if arch != "auto":
        make = MAIN_REGISTRY[_spandrel_id(arch)].architecture.load
    try:
        descriptor = _first_that_fits(make, arch, checkpoint)
    except UnsupportedModelError:
        raise UnknownNetworkError(
            f"no known network fits {checkpoint.name} ({len(checkpoint.tensors)} tensors, first "
            f"{', '.join(list(checkpoint.tensors)[:3])}); say which it is, with the function or class that builds it:",
            "  --arch path/to/network.py:Network --arch-arg features=64",
        ) from None
    if not isinstance(descriptor, ImageModelDescriptor):
        raise ArchitectureError(
            f"{checkpoint.name} is a {descriptor.architecture.name} network for {descriptor.purpose.lower()}, which "
            "takes more than one image; expected a network from one image to one image"
        )
    check_scale(checkpoint.name, descriptor.scale)
    return descriptor


def _first_that_fits(make: Callable[[dict[str, Any]], Any], arch: str, checkpoint: Checkpoint) -> Any:
    """What spandrel makes of the first form of `checkpoint` that it can load, under the names that it knows.

    Raises UnsupportedModelError where it knows none of them, ArchitectureError where the tensors alone do not fit.
    """
    from spandrel import UnsupportedModelError

    refusal: ArchitectureError | None = None
    for named in candidates(checkpoint):
        for form in _forms(named):
            try:
                return _fit(make, arch, named, form)
            except ArchitectureError as error:
                refusal = refusal or (error if form.keys() <= named.tensors.keys() else None)
            except UnsupportedModelError:
                break
    raise refusal or UnsupportedModelError


def _forms(checkpoint: Checkpoint) -> Iterator[dict[str, Any]]:
    """What spandrel may be shown of a checkpoint, best first; each a dictionary of its own: it renames in place.

    All that it would have seen in the file (the `pro` beside Real-CUGAN's tensors makes another network); where that
    fits no network, since an epoch may be told there as well, one value at a time; at last the tensors alone.
    """
    tensors = {name: tensor for name, tensor in checkpoint.tensors.items() if not _is_of_a_profiler(name)}
    values = dict(islice(checkpoint.values.items(), _MOST_VALUES))
    if values:
        yield {**checkpoint.values, **tensors}
    if len(values) > 1:
        yield from ({name: value, **tensors} for name, value in values.items())
    yield tensors


def _is_of_a_profiler(name: str) -> bool:
    return is_leftover(name) and not name.endswith("num_batches_tracked")


def _fit(make: Callable[[dict[str, Any]], Any], arch: str, checkpoint: Checkpoint, form: dict[str, Any]) -> Any:
    """spandrel's description of a network that is made of `form`."""
    from spandrel import MAIN_REGISTRY, UnsupportedModelError

    owner = checkpoint.name
    if MAIN_REGISTRY[_DRAWS].architecture.detect(form):
        raise ArchitectureError(
            f"{owner} is an {_DRAWS} network, which draws random numbers whenever it runs (noise for the pixels, and a "
            "style), so a file could equal nothing that it gives; expected a network that computes one picture of an "
            "image"
        )
    try:
        with within_bounds(owner, checkpoint.tensors), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what spandrel's code may not do for ever concerns no user of ours
            return make(form)
    except (ArchitectureError, UnsupportedModelError):
        raise
    except Exception as error:  # weights of another network break spandrel's loaders in any way
        said = f"({type(error).__name__}: {message(error)})"
        if arch == "auto":
            raise ArchitectureError(
                f"{owner} looks like a network that spandrel knows, and does not fit it {said}; say which network it "
                "is, with the function or class that builds it: --arch path/to/network.py:Network"
            ) from None
        raise ArchitectureError(f"{owner} does not fit the network {arch!r} {said}; try --arch auto") from None


def _spandrel_id(name: str) -> str:
    from spandrel import MAIN_REGISTRY

    known = {support.architecture.id: support.architecture.name for support in MAIN_REGISTRY}
    for identifier, title in known.items():
        if name.lower() in (identifier.lower(), title.lower()):
            return str(identifier)
    raise ArchitectureError(
        f"--arch {name!r} is no network that spandrel knows; expected auto, one of {', '.join(sorted(known))}, "
        "or code: module:callable, path.py:callable"
    )

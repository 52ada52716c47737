"""The network traced for any number of images, or for one where that is all that can be traced."""

from dataclasses import replace

from torch import nn

from dni_exporters.job import ExportJob
from dni_exporters.networks.probe import ImageContract
from dni_exporters.tracing.skeleton import Skeleton, trace
from dni_exporters.tracing.watched import watched
from dni_runtime import ExportError

ONE_AT_A_TIME = (
    "the file takes one image at a time: for several at once {}. A network's code that makes a number of the batch is "
    "why, as a rule (int(windows.shape[0] / ...), which view(-1, ...) spares)"
)
_UNSEEN = (
    "images of which not {} are larger than what is compared with PyTorch, and the network's code asks for that: what "
    "the file makes of them is what it makes of smaller ones"
)
_MOST = 3


def one_at_a_time(contract: ImageContract) -> ImageContract:
    """`contract` for a batch of one, height and width as free as before."""
    return replace(contract, input_shape=(1, *contract.input_shape[1:]))


def traced(network: nn.Module, contract: ImageContract, job: ExportJob) -> tuple[Skeleton, ImageContract, list[str]]:
    """The network's graph, the images that it is for, and notes for the user. Raises ExportError.

    A file for one image of any size is worth more than one of a fixed size: it is what is tried next.
    """
    is_single = contract.input_shape[0] == 1 and not contract.static
    notes = ["the network takes one image at a time, and so does the file"] if is_single else []
    try:
        skeleton = _traced(network, contract, job)
        unseen = skeleton.turns.unseen(contract.input_shape, contract.size_multiple, contract.size_minimum)
        return skeleton, contract, notes + [_UNSEEN.format(" and ".join(unseen[:_MOST]))] * bool(unseen)
    except ExportError as error:
        if contract.static or contract.input_shape[0] == 1:
            raise
        single = one_at_a_time(contract)
        try:
            return _traced(network, single, job), single, [ONE_AT_A_TIME.format("PyTorch cannot trace it")]
        except ExportError:
            raise error from None


def _traced(network: nn.Module, contract: ImageContract, job: ExportJob) -> Skeleton:
    with watched(network, contract.input_shape, job.progress):
        return trace(
            network,
            contract.input_shape,
            static=contract.static,
            opset=job.wanted_opset,
            half=job.half,
            square=contract.size_square,
        )

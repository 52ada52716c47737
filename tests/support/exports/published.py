"""Networks as collections publish them, spandrel's own classes with random weights, and what spandrel makes of a file.

Each is small, and nasty in one of the ways in which released checkpoints are: names of two ages, masks and index tables
beside the weights, a switch that is no tensor.
"""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import spandrel
import torch
from networks import Weights
from torch import nn


def weights(network: nn.Module) -> Weights:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def compact(upscale: int = 2) -> Weights:
    from spandrel.architectures.Compact import Compact

    return weights(Compact(num_feat=8, num_conv=2, upscale=upscale))


def esrgan(blocks: int = 1, scale: int = 2) -> Weights:
    from spandrel.architectures.ESRGAN import ESRGAN

    return weights(ESRGAN(num_filters=8, num_blocks=blocks, scale=scale))


def renamed(old: Weights) -> Weights:
    """The names that ESRGAN's newer code gives: conv_first, body.0.rdb1.conv1, conv_up1, ..."""
    # After the blocks comes one convolution more.
    last = max(int(name.split(".")[3]) for name in old if name.startswith("model.1.sub."))
    fixed = {"0": "conv_first", f"1.sub.{last}": "conv_body", "3": "conv_up1", "5": "conv_hr", "7": "conv_last"}
    new = {}
    for name, tensor in old.items():
        stem, _, kind = name.removeprefix("model.").rpartition(".")
        if stem not in fixed:
            stem = stem.replace("1.sub.", "body.").replace("RDB", "rdb").removesuffix(".0")
        new[f"{fixed.get(stem, stem)}.{kind}"] = tensor
    return new


def real_cugan() -> Weights:
    """Without its switch: `pro: 1` beside the tensors makes it another network."""
    from spandrel.architectures.RealCUGAN import UpCunet2x

    return weights(UpCunet2x())


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Attention's classes call PyTorch in a way that it will not take for ever."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@quietly()
def swinir(crop: int = 16) -> Weights:
    """As trained on crops of `crop` pixels, from which the sizes of its masks follow."""
    from spandrel.architectures.SwinIR import SwinIR

    return weights(
        SwinIR(img_size=crop, window_size=8, embed_dim=12, depths=[2], num_heads=[2], mlp_ratio=2.0, upscale=2,
               upsampler="pixelshuffle")
    )  # fmt: skip


@quietly()
def dat(split: tuple[int, int] = (2, 4)) -> Weights:
    from spandrel.architectures.DAT import DAT

    return weights(
        DAT(img_size=16, embed_dim=32, split_size=list(split), depth=[4], num_heads=[2], expansion_factor=2.0)
    )


def near(first: Weights, seed: int = 1, distance: float = 0.1) -> Weights:
    """An endpoint as if fine-tuned from `first`: learnt tensors moved, tables and masks (buffers) as they are."""
    generator = torch.Generator().manual_seed(seed)
    tables = ("attn_mask", "attn_mask_0", "attn_mask_1", "rpe_biases")
    moved = {}
    for name, tensor in first.items():
        if tensor.is_floating_point() and name.rpartition(".")[2] not in tables:
            noise = torch.randn(tensor.shape, generator=generator)
            tensor = tensor + (distance * (tensor.abs().mean() + 0.01) * noise).to(tensor.dtype)
        moved[name] = tensor.clone()
    return moved


@quietly()
def as_spandrel_reads(path: Path) -> nn.Module:
    """The network that spandrel makes of the file, float32, in evaluation mode: what a user of the file sees."""
    return spandrel.ModelLoader(device="cpu").load_from_file(path).model.float().eval()

"""What lies among a checkpoint's weights and was never learnt: masks and index tables that a network makes itself.

They follow from how it is built (SwinIR's attention masks from the size of the crops that it was trained with). Some
programs save them, others do not; and what profilers counted lies there, too.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn

from dni_exporters.checkpoints.checkpoint import Checkpoint, candidates
from dni_exporters.checkpoints.endpoints import is_leftover

# What spandrel's architectures, and the repositories that these come from, call theirs.
TABLES = {
    *("attn_mask", "attn_mask_0", "attn_mask_1", "rel_pos_indices", "relative_coords_table", "relative_position_index"),
    *("relative_position_index_SA", "relative_position_index_OCA"),
    *("relative_position_index_h", "relative_position_index_v", "rpe_biases", "biases_h", "biases_v"),
    *("base_offset", "init_pos"),
}


def is_table(name: str) -> bool:
    """Whether a tensor of this name is made by the network itself."""
    return name.rpartition(".")[2] in TABLES


def shared_tables(checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Every endpoint with the tables that it lacks, from the first one that has them."""
    found: dict[str, Tensor] = {}
    for checkpoint in checkpoints:
        found |= {name: t for name, t in checkpoint.tensors.items() if is_table(name) and name not in found}
    return [replace(c, tensors={**found, **c.tensors}) if found.keys() - c.tensors else c for c in checkpoints]


def fitted(checkpoints: Sequence[Checkpoint], network: nn.Module) -> list[Checkpoint]:
    """Every endpoint as `network` takes it, which holds nobody's weights yet.

    Names are those of `candidates` that it knows most of. Tables and counters that it has not are left out, tables of
    other sizes are its own. A buffer that an endpoint lacks is its own where that is a table, a switch beside the
    tensors, or what all others hold.
    """
    own = network.state_dict()
    named = [max(candidates(c), key=lambda form: len(form.tensors.keys() & own.keys())) for c in checkpoints]
    endpoints = [c.tensors for c in named]
    learnt = dict(network.named_parameters(remove_duplicate=False))
    made = {name: tensor.clone() for name, tensor in own.items() if name not in learnt}
    filled = {name: t for name, t in made.items() if is_table(name) or not t.is_floating_point()}
    for name, tensor in made.items():
        held = [tensors[name] for tensors in endpoints if name in tensors]
        switched = any(name in c.values for c in named)
        if switched or (held and all(other.equal(tensor) for other in held)):
            filled[name] = tensor
    result = []
    for tensors in endpoints:
        kept = {n: t for n, t in tensors.items() if n in own or not (is_table(n) or is_leftover(n))}
        other_size = {n: made[n] for n, t in kept.items() if is_table(n) and n in made and t.shape != made[n].shape}
        result.append({**filled, **kept, **other_size})
    return [replace(c, tensors=tensors) for c, tensors in zip(named, result, strict=True)]

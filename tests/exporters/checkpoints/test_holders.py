"""What holds a network in a file, by keys and by what its names begin with; and what is no network."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from networks import Weights

from dni_exporters import read_endpoints, write_blend
from dni_exporters.checkpoints.checkpoint import candidates
from dni_runtime import CheckpointError

A: Weights = {"body.0.weight": torch.arange(6.0).reshape(2, 3), "body.0.bias": torch.tensor([0.5, -0.5])}
RAW: Weights = {name: tensor * 100 for name, tensor in A.items()}


def under(prefix: str, weights: Weights = A) -> Weights:
    return {prefix + name: tensor for name, tensor in weights.items()}


def read(source: Any) -> Any:
    return read_endpoints([source])[0][0]


def assert_holds(checkpoint: Any, weights: Weights = A) -> None:
    assert list(checkpoint.tensors) == list(weights)
    assert all(torch.equal(checkpoint.tensors[name], weights[name]) for name in weights)


KEYS = [
    *("params-ema", "paramsEMA", "params_avg", "net", "netG", "net_g", "netG_ema", "net_g_ema", "network", "network_g"),
    *("generator_ema", "gen", "G_ema", "G", "ema", "model_ema", "ema_model", "weights", "state_dict_ema"),
    *("netG_state_dict", "generator_state_dict", "model_state"),
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("saved", [True, False])
def test_keys_that_say_network(tmp_path: Path, key: str, saved: bool):
    source: Any = {"epoch": 3, key: A, "netD": RAW, "optimizer_g": {"state": RAW}, "discriminator": RAW}
    if saved:
        torch.save(source, tmp_path / "a.pth")
        source = tmp_path / "a.pth"
    assert_holds(read(source))
    assert read(source).nesting == (key,)


@pytest.mark.parametrize(
    ("average", "raw"),
    [("params-ema", "params"), ("netG_ema", "netG"), ("g_ema", "g"), ("g_ema", "generator"), ("ema", "state_dict")],
)
def test_a_moving_average_is_preferred_however_it_is_called(average: str, raw: str):
    for source in ({average: A, raw: RAW}, {raw: RAW, average: A}):
        checkpoints, notes = read_endpoints([source])
        assert_holds(checkpoints[0])
        assert notes == [f"weights taken from {average}"]


def test_two_spellings_of_one_key_are_the_same_choice():
    one, other = {"params": RAW, "params-ema": A}, {"params_ema": A, "params": RAW}
    checkpoints, notes = read_endpoints([one, other])
    for checkpoint in checkpoints:
        assert_holds(checkpoint)
    assert notes == ["weights taken from params-ema of endpoint 1, params_ema of endpoint 2"]


def test_the_only_key_is_looked_into():
    assert read({"ours": {"params": A, "epoch": 3}, "optimizer": {"params": RAW}}).nesting == ("ours", "params")
    settings: dict[str, Any] = {}
    for _ in range(100):
        settings = {"train": settings}
    assert read({"model": settings, "params": A}).nesting == ("params",)
    assert read({**A, "opt": settings}).nesting == ()


def test_an_unknown_key_that_alone_holds_tensors_is_the_network():
    assert_holds(read({"ours": A, "epoch": 3, "optimizer": A, "log": {"loss": 0.1}}))


STACKS = [
    *("netG.", "net_g.", "generator_ema.", "model_ema.", "ema_model.", "network_g.", "_forward_module."),
    *(
        "model.module._orig_mod.",
        "model.module.",
        "net._orig_mod.",
        "module.model._orig_mod.",
        "model.netG.",
        "module.",
    ),
]


@pytest.mark.parametrize("prefix", STACKS)
def test_prefixes_of_wrappers_in_any_stack(prefix: str):
    checkpoint = read({"state_dict": under(prefix)})
    assert_holds(checkpoint)
    assert checkpoint.prefix == prefix


@pytest.mark.parametrize("weights", [under("model.0."), under("generator.model."), under("model_g."), under("layers.")])
def test_names_of_networks_stay(weights: Weights):
    """Old ESRGAN's and DnCNN's, LaMa's, GRL's."""
    assert_holds(read(weights), weights)


@pytest.mark.parametrize("prefix", ["model.", "net.", "generator.", "network.", "model.model.", "model.net."])
@pytest.mark.parametrize("wrapper", ["", "module."])
def test_other_names_that_the_tensors_may_have_are_offered(prefix: str, wrapper: str):
    found = candidates(read(under(wrapper + prefix)))
    assert_holds(found[0], under(prefix))
    assert [candidate.prefix for candidate in found if list(candidate.tensors) == list(A)] == [wrapper + prefix]
    for candidate in found:
        named = {candidate.prefix + name: tensor for name, tensor in candidate.tensors.items()}
        assert_holds(read(named), under(prefix))  # what they are called in the file has not changed


def test_names_as_they_stand_in_the_file_are_offered_last():
    """A network given as code may call its only part `netG`."""
    assert [next(iter(candidate.tensors)) for candidate in candidates(read(under("module.netG.")))] == [
        "body.0.weight",
        "netG.body.0.weight",
        "module.netG.body.0.weight",
    ]
    assert len(candidates(read(A))) == 1


def trained(**networks: Weights) -> Weights:
    """The state dict of a whole training program."""
    made = {f"{part}.{name}": tensor for part, weights in networks.items() for name, tensor in weights.items()}
    beside = {
        "discriminator.0.weight": torch.ones(9),
        "loss_fn.vgg.0.weight": torch.ones(8),
        "netD.0.bias": A["body.0.bias"],
    }
    return {**made, **beside, "step_counter": torch.tensor(7)}


def test_one_network_is_taken_out_of_a_training_programs_state_dict():
    checkpoints, notes = read_endpoints([{"state_dict": trained(generator=RAW, generator_ema=A)}])
    assert_holds(checkpoints[0])
    assert notes == ["weights taken from state_dict.generator_ema"]
    assert_holds(read(trained(net_g=A)))
    assert_holds(candidates(read(trained(model=A)))[1])
    assert_holds(read({f"module.{name}": tensor for name, tensor in trained(netG=under("module.")).items()}))


@pytest.mark.parametrize("part", ["net_g", "generator", "netG.module"])
def test_an_average_that_one_endpoint_lacks_is_taken_of_none(part: str):
    averaged = {"state_dict": {**under(f"{part}.", RAW), **under(f"{part.partition('.')[0]}_ema.")}}
    plain = {"state_dict": under(f"{part}.", RAW)}
    for endpoints in ([averaged, plain], [plain, averaged]):
        for checkpoint in read_endpoints(endpoints)[0]:
            assert torch.equal(next(iter(checkpoint.tensors.values())), RAW["body.0.weight"])


@pytest.mark.parametrize("prefix", ["model.", "net.", "module.generator."])
def test_a_prefix_that_one_endpoint_lacks_makes_no_other_network(tmp_path: Path, prefix: str):
    """Of a network that nobody knows, and whose code is not at hand."""
    wrapped = {"state_dict": under(prefix)}
    for endpoints in ([wrapped, A], [A, wrapped]):
        for checkpoint in read_endpoints(endpoints)[0]:
            assert_holds(checkpoint)
    torch.save(wrapped, tmp_path / "a.pth")
    write_blend([tmp_path / "a.pth", RAW], tmp_path / "c.pth", 0.5)
    theta = torch.load(tmp_path / "c.pth")["state_dict"]
    assert list(theta) == list(under(prefix))
    assert theta[f"{prefix}body.0.bias"].tolist() == [25.25, -25.25]


def test_an_averaged_model_of_pytorch_is_read():
    averaged = torch.optim.swa_utils.AveragedModel(torch.nn.Linear(3, 2))
    assert list(read(averaged.state_dict()).tensors) == ["weight", "bias"]


def test_a_moving_average_of_another_library_is_read():
    """ema-pytorch's: a copy, the network itself and two counters in one state dict."""
    counters = {"initted": torch.tensor(True), "step": torch.tensor(7)}
    checkpoint = read({"ema": {**under("online_model.", RAW), **under("ema_model."), **counters}, "step": 7})
    assert_holds(checkpoint)
    assert (checkpoint.nesting, checkpoint.part) == (("ema",), "ema_model")


def test_counters_are_no_network():
    """Whatever they lie under."""
    counters = {"step": torch.tensor(7), "best": torch.tensor(31.5)}
    for key in ("state", "state_dict", "ema", "weights"):
        assert_holds(read({key: counters, "model": A}))
        assert_holds(read({**A, key: counters}))


@pytest.mark.parametrize("other", ["encoder.", "generator2.", "net.", "step.", "decay."])
def test_parts_of_one_network_are_not_taken_apart(other: str):
    weights = {**under("generator."), other + "conv.weight": torch.ones(1), "n_averaged": torch.tensor(1)}
    assert_holds(read(weights), weights)


def test_values_beside_the_weights_are_kept(tmp_path: Path):
    torch.save(
        {"params": {**under("module."), "pro": 1, "module.fast": True, "note": "x"}, "iter": 5}, tmp_path / "a.pth"
    )
    checkpoint = read(tmp_path / "a.pth")
    assert_holds(checkpoint)
    assert checkpoint.values == {"pro": 1, "fast": True, "note": "x"}
    assert read({**A, "pro": 1}).sha256 != read(A).sha256


def test_dictionaries_without_number():
    """Keys that say network can be spelled in endless ways: what leads nowhere is left after a while."""
    inner = {"params" + "_" * number: A for number in range(30)}
    source: Any = inner
    for _ in range(3):
        source = {"net" + "-" * number: source for number in range(30)}
    with pytest.raises(CheckpointError, match="endpoint 1 holds more than 3000 dictionaries that may be a network's"):
        read(source)


def small_file(kind: str) -> dict[str, Any]:
    """What a few megabytes of a pickle may say."""
    large: dict[str, Any] = dict.fromkeys(map(str, range(100_000)), 1)
    spelled = [f"{key}{'_' * n}" for key in ("params", "net") for n in range(25)]
    if kind == "many keys to one dictionary":
        middle = {key: large for key in spelled}
        return {key: middle for key in spelled}
    if kind == "many names for one dictionary":
        large["w"] = torch.ones(1)
        return {str(number): large for number in range(100_000)}
    if kind == "a prefix without end":
        return {"module." * 100_000 + "w": torch.ones(1)}
    return {"net" * 1_000_000: A, "net_" * 9 + "x" * 1_000_000: A}


SMALL_FILES = ["many keys to one dictionary", "many names for one dictionary", "a prefix without end", "long keys"]


@pytest.mark.parametrize("kind", SMALL_FILES)
def test_what_is_small_takes_no_long_time(kind: str):
    """Seconds of processor time at most: each dictionary is looked through once."""
    source, start = small_file(kind), time.process_time()
    with pytest.raises(CheckpointError):
        read(source)
    assert time.process_time() - start < 5

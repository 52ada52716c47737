"""Networks whose code asks how large an image is: a trace keeps one of the answers, so no file of theirs is written."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from exporting import assert_close, blended, expected, photo, run
from networks import conv
from torch import Tensor, nn
from torch.nn import functional

from dni_exporters import export
from dni_exporters.tracing.skeleton import trace
from dni_exporters.tracing.turns import Turns
from dni_runtime import ExportError, ParityError

SHAPE = (2, 3, 16, 17)


class Asking(nn.Module):
    """Two convolutions, and what is done with them."""

    def __init__(self, then: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last, self.then = conv(3, 4), conv(4, 3), then

    def forward(self, x: Tensor) -> Tensor:
        return self.then(x, self.last(self.first(x)))


def higher_than_100(x: Tensor, y: Tensor) -> Tensor:
    return 2 * y if x.shape[2] > 100 else y


def more_than_two(x: Tensor, y: Tensor) -> Tensor:
    return y + 1 if x.shape[0] > 2 else y


def upright(x: Tensor, y: Tensor) -> Tensor:
    return y.flip(2) if x.shape[2] > x.shape[3] else y


def as_large_as_its_mask(x: Tensor, y: Tensor) -> Tensor:
    """Window attention's habit: a mask for images of one size is made once."""
    return y * torch.linspace(0, 1, 32) if x.shape[2:] == (32, 32) else y


def of_many_pixels(x: Tensor, y: Tensor) -> Tensor:
    return y / 2 if x.shape[2] * x.shape[3] >= 128 * 128 else y


def behind_another(x: Tensor, y: Tensor) -> Tensor:
    """Of even height, as the trace's image, and a width that that one does not have."""
    return y + 1 if x.shape[2] % 2 == 0 and x.shape[3] % 5 == 0 else y


def row_after_row(x: Tensor, y: Tensor) -> Tensor:
    """As many times as the trace's image has rows: a loop is a turn for every time."""
    return torch.cat([y[:, :, top : top + 16] * (1 + top) for top in range(0, x.shape[2], 16)], 2)


def smaller_and_back(x: Tensor, y: Tensor) -> Tensor:
    """90 * 0.7 is 62.99999999999999 in Python and 63 in float32, in which ONNX Runtime computes."""
    smaller = functional.interpolate(y, scale_factor=0.7, mode="bilinear")
    return functional.interpolate(smaller, size=x.shape[2:], mode="bilinear")


TURNS = {
    higher_than_100: "(1, 3, 101, 16)",
    upright: "(1, 3, 17, 16)",
    as_large_as_its_mask: "(1, 3, 32, 32)",
    of_many_pixels: "(1, 3, 1024, 16)",
    behind_another: "(1, 3, 16, 20)",
    row_after_row: "(1, 3, 17, 16)",
    smaller_and_back: "90",
}


def endpoints(network: nn.Module) -> list[dict[str, Tensor]]:
    a = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return [a, {name: tensor + 0.05 * torch.randn_like(tensor) for name, tensor in a.items()}]


@pytest.mark.parametrize("then", TURNS, ids=lambda then: then.__name__)
def test_what_is_otherwise_behind_a_turn_is_not_written(then: Callable[[Tensor, Tensor], Tensor], tmp_path: Path):
    torch.manual_seed(0)
    network = Asking(then).eval()
    with pytest.raises(ParityError) as caught:
        export(endpoints(network), tmp_path / "model.onnx", alpha_input=True, arch=network, verdict=False)
    assert TURNS[then] in str(caught.value)
    assert not [*tmp_path.iterdir()]


def in_windows(x: Tensor, y: Tensor) -> Tensor:
    """Padded to whole windows of 4 by 4, as wide as it takes, the mean of each taken off, and cut again."""
    (batch, channels, height, width), side = x.shape, 4
    y = functional.pad(y, (0, (side - width % side) % side, 0, (side - height % side) % side), "replicate")
    rows, columns = y.shape[2] // side, y.shape[3] // side
    windows = y.view(batch, channels, rows, side, columns, side)
    flat = windows - windows.mean((3, 5), keepdim=True)
    return flat.reshape(batch, channels, rows * side, columns * side)[:, :, :height, :width]


def half_as_large_again(x: Tensor, y: Tensor) -> Tensor:
    """Rounded, and to the same in float32."""
    return functional.interpolate(functional.interpolate(y, scale_factor=1.5), size=x.shape[2:], mode="bilinear")


def in_the_middle_alike(x: Tensor, y: Tensor) -> Tensor:
    """Another way for some sizes, to the same end."""
    return y * 2 if x.shape[2] > 40 else y + y


def test_where_a_turn_is_of_the_batch_the_file_is_for_one_image(tmp_path: Path):
    network, path = Asking(more_than_two).eval(), tmp_path / "model.onnx"
    a, b = endpoints(network)
    report = export([a, b], path, alpha_input=True, arch=network, verdict=False)
    assert "the file takes one image at a time" in " ".join(report.notes)
    for image in (photo(1, 3, 41, 3), photo(1, 3, 53, 71)):
        assert_close(run(path, image, 0.3), expected(network, blended(a, b, 0.3), image))


@pytest.mark.parametrize("above", [6000, 100_000])
def test_what_is_larger_than_what_is_looked_at_is_told(above: int, tmp_path: Path):
    """It would take an image of so many pixels to find out; a file of those that people have is not to be lost."""
    network = Asking(lambda x, y: y + 1 if x.shape[2] * 2 > above else y).eval()
    report = export(endpoints(network), tmp_path / "m.onnx", alpha_input=True, arch=network, verdict=False)
    assert [note for note in report.notes if f"not H <= {above // 2} are larger than what is compared" in note]


def test_nothing_is_told_where_all_has_been_looked_at(tmp_path: Path):
    network = Asking(in_windows).eval()
    report = export(endpoints(network), tmp_path / "m.onnx", alpha_input=True, arch=network, verdict=False)
    assert not [note for note in report.notes if "compared" in note]


@pytest.mark.parametrize("then", [in_windows, half_as_large_again, in_the_middle_alike], ids=lambda then: then.__name__)
def test_turns_that_change_nothing_are_no_hindrance(then: Callable[[Tensor, Tensor], Tensor], tmp_path: Path):
    torch.manual_seed(0)
    network, path = Asking(then).eval(), tmp_path / "model.onnx"
    assert trace(network, SHAPE).turns.conditions
    a, b = endpoints(network)
    export([a, b], path, alpha_input=True, arch=network, verdict=False)
    for image in (photo(1, 3, 41, 3), photo(3, 3, 8, 8), photo(1, 3, 53, 71)):
        assert_close(run(path, image, 0.3), expected(network, blended(a, b, 0.3), image))


def test_what_the_network_refuses_is_not_asked_of_the_file(tmp_path: Path):
    """Mirrored by 7: PyTorch takes no smaller image, and a network may say no to what lies behind its turn."""

    def mirrored(x: Tensor, y: Tensor) -> Tensor:
        if x.shape[3] > 40:
            raise ValueError("too wide")
        return functional.pad(y, (7, 7, 7, 7), "reflect")

    network = Asking(mirrored).eval()
    export(endpoints(network), tmp_path / "model.onnx", alpha_input=True, arch=network, verdict=False)
    assert (tmp_path / "model.onnx").exists()


def test_sizes_right_behind_a_turn_are_those_that_differ_in_nothing_else():
    turns = Turns(("H <= 100", "W % 8 != 0", "N < 4"), (4, 8, 100))
    found = turns.beyond(SHAPE, 1, 1, lambda size: True)
    assert found == [(1, 101, 17), (1, 101, 101), (1, 16, 16), (4, 16, 17), (4, 17, 17)]
    assert turns.beyond((1, *SHAPE[1:]), 1, 1, lambda size: size[0] == 4) == []  # the file takes one image at a time
    assert all(h % 16 == w % 16 == 0 for _, h, w in turns.beyond((2, 3, 32, 48), 16, 32, lambda size: True))


def test_a_size_that_comes_to_nothing_lies_behind_the_turn():
    assert Turns(("16 % (H // 2) >= 0",), (2, 16)).beyond(SHAPE, 1, 1, lambda size: True) == [(1, 1, 1)]


def test_a_fixed_size_has_no_turns():
    assert trace(Asking(higher_than_100).eval(), SHAPE, static=True).turns == Turns()


def test_what_the_optimizer_cannot_do_is_told_in_words(tmp_path: Path):
    network = Asking(lambda x, y: torch.cat([part * 2 for part in y.chunk(2, dim=3)], 3)).eval()
    with pytest.raises(ExportError, match="PyTorch cannot export"):
        export(endpoints(network), tmp_path / "model.onnx", alpha_input=True, arch=network, verdict=False)

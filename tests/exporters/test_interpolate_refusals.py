"""What `blend` and `write_blend` refuse, and that files which exist stay as they are."""

from pathlib import Path

import pytest
import torch
from networks import Weights

from dni_exporters import blend, write_blend
from dni_runtime import AlphaError, CheckpointError, DniError, EndpointError, OutputError


@pytest.fixture
def endpoints(tmp_path: Path) -> list[Path]:
    """Two checkpoints of two tensors: ones and fours."""
    paths = [tmp_path / "a.pth", tmp_path / "b.pth"]
    for path, value in zip(paths, (1.0, 4.0), strict=True):
        torch.save({"params": {"w": torch.full((2, 3), value), "index": torch.arange(3)}}, path)
    return paths


def weights(path: Path) -> Weights:
    return torch.load(path, weights_only=True)["params"]


@pytest.mark.parametrize("alpha", [1.01, -0.01, float("nan"), float("inf"), "0.5", (0.5, 0.5), None, True])
def test_alphas_out_of_range_or_of_no_meaning(endpoints: list[Path], tmp_path: Path, alpha: object):
    with pytest.raises(AlphaError, match=r"expected a finite number in 0\.\.1"):
        write_blend(endpoints, tmp_path / "c.pth", alpha)
    assert not (tmp_path / "c.pth").exists()


def test_a_wider_range_extrapolates(endpoints: list[Path]):
    torch.testing.assert_close(blend(endpoints, 1.5, alpha_range=(-1, 2))["w"], torch.full((2, 3), -0.5))
    with pytest.raises(AlphaError, match=r"alpha 2\.5 is out of range; expected a finite number in -1\.\.2"):
        blend(endpoints, 2.5, alpha_range=(-1, 2))


def test_three_endpoints_take_two_numbers():
    with pytest.raises(AlphaError, match="expected 2 finite numbers, each and their sum"):
        blend([{"w": torch.ones(2)}] * 3, 0.5)


def test_one_endpoint_is_no_blend(endpoints: list[Path]):
    with pytest.raises(EndpointError, match="a blend needs at least two checkpoints"):
        blend(endpoints[:1], 0.5)


def test_all_differences_are_listed_and_nothing_is_written(tmp_path: Path):
    a = {
        "same": torch.ones(2),
        "shape": torch.ones(2),
        "dtype": torch.ones(2),
        "index": torch.arange(3),
        "a": torch.ones(1),
    }
    b = {"same": torch.ones(2), "shape": torch.ones(3), "dtype": torch.ones(2).int(), "index": torch.arange(3) + 1}
    with pytest.raises(EndpointError) as error:
        write_blend([a, b], tmp_path / "c.pth", 0.5)
    lines = [line.strip().partition(":")[0] for line in str(error.value).splitlines() if line.startswith("  ")]
    assert lines == ["shape", "dtype", "index", "a"]
    assert list(tmp_path.iterdir()) == []


def test_an_endpoint_that_cannot_be_read(endpoints: list[Path], tmp_path: Path):
    endpoints[1].write_bytes(endpoints[1].read_bytes()[:200])
    with pytest.raises(CheckpointError, match=r"b\.pth is damaged or not a PyTorch checkpoint"):
        write_blend(endpoints, tmp_path / "c.pth", 0.5)


@pytest.mark.parametrize("name", ["c.onnx", "c.bin", "c"])
def test_an_unknown_suffix(endpoints: list[Path], tmp_path: Path, name: str):
    with pytest.raises(OutputError, match=r"has an unknown suffix; expected one of \.pth, \.pt, \.ckpt, \.safetensors"):
        write_blend(endpoints, tmp_path / name, 0.5)


def test_an_existing_file_is_kept_without_force(endpoints: list[Path], tmp_path: Path):
    output = tmp_path / "c.pth"
    output.write_text("precious")
    with pytest.raises(OutputError, match=r"c\.pth exists already and is kept; replace it with --force \(force=True\)"):
        write_blend(endpoints, output, 0.5)
    assert output.read_text() == "precious"
    write_blend(endpoints, output, 0.5, force=True)
    torch.testing.assert_close(weights(output)["w"], torch.full((2, 3), 2.5))


def test_a_failure_keeps_the_file_that_force_would_replace(endpoints: list[Path], tmp_path: Path):
    output = tmp_path / "c.pth"
    output.write_text("precious")
    endpoints[1].unlink()
    with pytest.raises(DniError):
        write_blend(endpoints, output, 0.5, force=True)
    assert output.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth", "c.pth"]


@pytest.mark.parametrize("which", [0, 1])
def test_an_endpoint_may_be_replaced_by_the_blend(endpoints: list[Path], which: int):
    """The file is mapped into memory while it is replaced."""
    with pytest.raises(OutputError, match="exists already"):
        write_blend(endpoints, endpoints[which], 0.5)
    assert weights(endpoints[which])["w"].unique().item() == (1.0, 4.0)[which]
    write_blend(endpoints, endpoints[which], 0.5, force=True)
    torch.testing.assert_close(weights(endpoints[which])["w"], torch.full((2, 3), 2.5))
    assert weights(endpoints[which])["index"].equal(torch.arange(3))
    assert weights(endpoints[1 - which])["w"].unique().item() == (4.0, 1.0)[which]


def test_the_folder_is_made(endpoints: list[Path], tmp_path: Path):
    write_blend(endpoints, tmp_path / "new" / "deep" / "c.pth", 0.5)
    assert [path.name for path in (tmp_path / "new" / "deep").iterdir()] == ["c.pth"]

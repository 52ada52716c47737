"""A model.onnx from a stranger in the page: garbage, loops and appetite are told, and the page stays usable."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import METADATA, conv_stack, save
from photographs import noisy_crop, save_image
from playwright.sync_api import expect
from web_browser import Visit, visiting
from web_sites import make_site, served

from dni_runtime import write_metadata

PHOTO = noisy_crop(40, 50)
GOOD = "zzz good"


def network(
    nodes: list[onnx.NodeProto],
    *constants: onnx.TensorProto,
    output: str = "output",
    kind: int = TensorProto.FLOAT,
    input_name: str = "input",
) -> onnx.ModelProto:
    """A model of these nodes without alpha, whose metadata is that of a good one."""
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, ["N", 3, "H", "W"])],
        [helper.make_tensor_value_info(output, kind, None)],
        list(constants),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    write_metadata(model, METADATA)
    return model


def number(name: str, *values: float, kind: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, kind), name)


def not_a_number() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Sub", ["input", "input"], ["zero"]),
        helper.make_node("Div", ["zero", "zero"], ["output"]),
    ]
    return network(nodes)


def integers() -> onnx.ModelProto:
    return network([helper.make_node("Cast", ["input"], ["output"], to=TensorProto.INT32)], kind=TensorProto.INT32)


def five_axes() -> onnx.ModelProto:
    return network([helper.make_node("Unsqueeze", ["input", "axis"], ["output"])], number("axis", 0, kind=np.int64))


def two_images() -> onnx.ModelProto:
    return network([helper.make_node("Concat", ["input", "input"], ["output"], axis=0)])


def six_channels() -> onnx.ModelProto:
    return network([helper.make_node("Concat", ["input", "input"], ["output"], axis=1)])


def nothing() -> onnx.ModelProto:
    bounds = [number(name, value, kind=np.int64) for name, value in (("start", 0), ("end", 0), ("axis", 2))]
    return network([helper.make_node("Slice", ["input", "start", "end", "axis"], ["output"])], *bounds)


def greedy() -> onnx.ModelProto:
    """Asks for 4 TB."""
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["much"]),
        helper.make_node("ReduceMax", ["much"], ["most"], keepdims=0),
        helper.make_node("Add", ["input", "most"], ["output"]),
    ]
    return network(nodes, number("size", 10**12, kind=np.int64))


def endless() -> onnx.ModelProto:
    """Adds until the end of days."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["goes"]),
            helper.make_node("Mul", ["so far", "half"], ["further"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("so far", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("further", TensorProto.FLOAT, None),
        ],
    )
    steps = numpy_helper.from_array(np.array(2**62, np.int64), "steps")
    always = numpy_helper.from_array(np.array(True), "always")
    return network(
        [helper.make_node("Loop", ["steps", "always", "input"], ["output"], body=body)],
        steps,
        always,
        number("half", 0.5),
    )


NO_PICTURE = "The picture could not be computed: "
NOT_LOADED = " could not be loaded: "
NETWORKS: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "NaN": (not_a_number, f"{NO_PICTURE}the network's output holds NaN; check the model's weights"),
    "five axes": (
        five_axes,
        f"{NO_PICTURE}the network made output of sizes 1,1,3,40,50; expected N x C x H x W",
    ),
    "two images": (two_images, f"{NO_PICTURE}the network made 2 images of 3 channels from 1; expected as many images"),
    "six channels": (six_channels, f"{NO_PICTURE}the network turns 3 channels into 6, no grey or RGB image"),
    "nothing": (nothing, f"{NO_PICTURE}the network made 0x50 pixels of 40x50; expected 40x50"),
    "greedy": (greedy, f"{NO_PICTURE}failed to call OrtRun()"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    made = [save(make(), folder / f"{name}.onnx") for name, (make, _) in NETWORKS.items()]
    made.append(save(network([helper.make_node("Identity", ["input"], ["output"])]), folder / "integers.onnx"))
    made.append(save(endless(), folder / "endless.onnx"))
    made.append(save(conv_stack(scale=2), folder / "twice.onnx"))
    made.append(save(conv_stack(), folder / f"{GOOD}.onnx"))
    made.append(save(conv_stack(seed=1), folder / "half a file.onnx"))
    made.append(save(conv_stack(seed=2), folder / "a page.onnx"))
    site = make_site(folder, *made)
    # What a host gives out may be anything, whatever was shipped.
    whole = (site / "models" / "half a file.onnx").read_bytes()
    (site / "models" / "half a file.onnx").write_bytes(whole[: len(whole) // 2])
    (site / "models" / "a page.onnx").write_text("<!doctype html><title>Not found</title>")
    save(integers(), site / "models" / "integers.onnx")
    return site


@pytest.fixture(scope="module")
def visit(site: Path, browser: Any) -> Iterator[Visit]:
    with served("-o", site) as url, visiting(browser, url) as arrived:
        arrived.ready().open_photo(save_image(site.parent / "photo.png", PHOTO))
        expect(arrived.page.get_by_role("alert")).to_be_visible()
        yield arrived


def choose(visit: Visit, name: str) -> None:
    visit.page.get_by_label("Model").select_option(name)


def assert_still_works(visit: Visit) -> None:
    choose(visit, GOOD)
    visit.ready().shown("0.5")
    expect(visit.page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_makes_no_picture(visit: Visit, name: str):
    _, sentence = NETWORKS[name]
    choose(visit, name)
    alert = visit.page.get_by_role("alert")
    expect(alert).to_contain_text(sentence, timeout=30_000)
    assert visit.text("#status") == ""
    assert visit.page.locator("#status").get_attribute("data-shown") is None
    assert_still_works(visit)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("integers", "integers could not be loaded: the network takes input (float32) and gives output (int32); its "),
        ("half a file", f"half a file{NOT_LOADED}"),
        ("a page", f"a page{NOT_LOADED}"),
    ],
)
def test_a_file_that_is_no_such_network(visit: Visit, name: str, sentence: str):
    choose(visit, name)
    expect(visit.page.get_by_role("alert")).to_contain_text(sentence, timeout=30_000)
    expect(visit.page.get_by_role("button", name="Download")).to_be_disabled()
    assert_still_works(visit)


def test_a_network_that_never_ends_can_be_left(visit: Visit):
    choose(visit, "endless")
    visit.ready().page.wait_for_timeout(500)
    assert visit.text("#status") == "Computing"
    expect(visit.page.get_by_role("alert")).to_be_hidden()
    assert_still_works(visit)


def test_a_result_that_no_canvas_holds(visit: Visit, tmp_path: Path):
    """Browsers make canvases of that size without a word, and draw nothing into them."""
    choose(visit, "twice")
    visit.ready().open_photo(save_image(tmp_path / "long.png", np.zeros((64, 16384, 3), np.uint8)))
    expect(visit.page.get_by_role("alert")).to_have_text(
        f"{NO_PICTURE}the result has 32768 \N{MULTIPLICATION SIGN} 128 pixels; a page holds at most 256 million, "
        "32767 along a side: choose a smaller picture",
        timeout=30_000,
    )
    visit.open_photo(save_image(tmp_path / "photo.png", PHOTO)).shown("0.5")
    assert_still_works(visit)


def test_more_than_a_file_holds_is_not_read(site: Path, browser: Any, tmp_path: Path):
    """Nothing of the 3 GB is kept, or even fetched: the length is told first."""
    copy = tmp_path / "site"
    shutil.copytree(site, copy, copy_function=lambda a, b: Path(b).hardlink_to(a))
    large = copy / "models" / "NaN.onnx"
    large.unlink()
    with large.open("wb") as file:
        file.truncate(3 * 10**9)
    with served("-o", copy) as url, visiting(browser, url) as visit:
        expect(visit.page.get_by_role("alert")).to_contain_text("NaN.onnx cannot be loaded: it has more than 2147.")
        assert_still_works(visit.open_photo(save_image(tmp_path / "photo.png", PHOTO)))

"""On a GPU: all nasty networks, alphas that move under captured graphs, threads, tensors of PyTorch, images."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from exporting import assert_close, nasty_model, photo, run
from networks import NETWORKS, pair
from onnx_models import baked, conv_stack, noise, picture, save

from dni_exporters import export
from dni_runtime import InputError, load
from dni_runtime.cuda.on_device import OnDevice

pytestmark = pytest.mark.gpu

IMAGE = photo(2, 3, 28, 12)
ALPHAS = (0.31, 0.31, 0.77, 0.31, 1.0, 0.0)
HALF_TOLERANCE = 2e-2
# What a thread's own handles and graphs take at least; measured on an H100 before threads took turns.
THREAD_BYTES = 8 * 2**20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save(conv_stack(), tmp_path / "model.onnx")


def half_model(folder: Path, name: str) -> Path:
    path = folder / "half" / f"{name}.onnx"
    if not path.exists():
        network, a, b = pair(name)
        export([a, b], path, alpha_input=True, arch=network, dtype="float16")
    return path


def on_device(model) -> OnDevice:
    runner = model._runner
    assert isinstance(runner, OnDevice) and runner._graphs, model.alpha_note
    return runner


def assert_on_gpu(model) -> None:
    """Convolutions run on the GPU, all of them."""
    nodes = on_device(model)._floats.nodes()
    elsewhere = [op for provider, ops in nodes.items() if provider != "CUDAExecutionProvider" for op in ops]
    assert not [op for op in elsewhere if "Conv" in op], elsewhere
    assert any("Conv" in op for op in nodes["CUDAExecutionProvider"])


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_nasty_networks(name: str, tmp_path_factory: pytest.TempPathFactory):
    path = nasty_model(tmp_path_factory.getbasetemp(), name)
    with load(path, "cuda") as model:
        assert_on_gpu(model)
        for alpha in ALPHAS:
            assert_close(model(IMAGE, alpha), run(path, IMAGE, alpha))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_nasty_networks_in_half(name: str, tmp_path_factory: pytest.TempPathFactory):
    path = half_model(tmp_path_factory.getbasetemp(), name)
    with load(path, "cuda") as model:
        assert_on_gpu(model)
        assert on_device(model)._nhwc or name == "transposed_batch_norm", model.alpha_note
        for alpha in ALPHAS:
            assert_close(model(IMAGE, alpha), run(path, IMAGE, alpha), HALF_TOLERANCE)


def test_biases_may_be_fused(tmp_path_factory: pytest.TempPathFactory):
    path = half_model(tmp_path_factory.getbasetemp(), "prelu")
    with load(path, "cuda", provider_options={"fuse_conv_bias": "1"}) as model:
        assert on_device(model)._nhwc, model.alpha_note
        for alpha in ALPHAS:
            assert_close(model(IMAGE, alpha), run(path, IMAGE, alpha), HALF_TOLERANCE)


def test_where_biases_cannot_be_fused_it_is_still_channels_last(tmp_path_factory: pytest.TempPathFactory):
    path = half_model(tmp_path_factory.getbasetemp(), "unet")
    with load(path, "cuda", provider_options={"fuse_conv_bias": "1"}) as model:
        assert on_device(model)._nhwc, model.alpha_note
        assert "not channels-last with fused biases" in model.alpha_note
        for alpha in ALPHAS:
            assert_close(model(IMAGE, alpha), run(path, IMAGE, alpha), HALF_TOLERANCE)


def test_options_that_would_harm_are_refused(path: Path, tmp_path: Path):
    with pytest.raises(InputError, match="prefer_nhwc, which rearranges the weights of baked files alone"):
        load(path, "cuda", provider_options={"prefer_nhwc": "1"})
    for file in (path, save(baked(0.3), tmp_path / "baked.onnx")):
        with pytest.raises(InputError, match="fuse_conv_bias, which is for channels-last convolutions"):
            load(file, "cuda", provider_options={"fuse_conv_bias": "1"})


@pytest.mark.parametrize("search", ["HEURISTIC", "EXHAUSTIVE"])
def test_provider_options_reach_cuda(path: Path, search: str):
    with load(path, "cuda", provider_options={"cudnn_conv_algo_search": search}, alpha_policy="dynamic") as model:
        assert_close(model(IMAGE, 0.3), run(path, IMAGE, 0.3))


def test_alphas_move_under_graphs_of_several_shapes(path: Path):
    with load(path, "cuda") as model:
        on_device(model)
        for seed in range(4):
            for size in (64, 40, 96):
                x = noise(1, 3, size, 64, seed=seed)
                for alpha in ALPHAS:
                    assert_close(model(x, alpha), run(path, x, alpha))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", ["prelu", "batch_norm"])
def test_baked_models_have_graphs_too(name: str, dtype: str, tmp_path: Path):
    network, a, b = pair(name)
    path = tmp_path / "model.onnx"
    export([a, b], path, alphas=[0.3], arch=network, dtype=dtype)
    with load(path, "cuda") as model:
        on_device(model)
        for seed in range(3):
            x = noise(2, 3, 28, 12, seed=seed)
            assert_close(model(x), run(path, x), 1e-5 if dtype == "float32" else HALF_TOLERANCE)


def test_tensors_stay_on_the_gpu(path: Path):
    with load(path, "cuda") as model:
        x = torch.from_numpy(IMAGE).cuda()
        results = [torch.from_dlpack(model.run_on_device(x, alpha)) for alpha in ALPHAS]
        for alpha, y in zip(ALPHAS, results, strict=True):  # none has been overwritten
            assert y.is_cuda
            assert_close(y.cpu().numpy(), run(path, IMAGE, alpha))


def test_a_tensor_may_still_be_being_computed(path: Path):
    with load(path, "cuda") as model:
        work = torch.randn(4096, 4096, device="cuda")
        x = torch.from_numpy(IMAGE).cuda()
        torch.from_dlpack(model.run_on_device(x, 0.3))
        with torch.cuda.stream(torch.cuda.Stream()):
            for seed in range(5):
                image = photo(*IMAGE.shape, seed=seed)
                x = torch.zeros(IMAGE.shape, device="cuda")
                source = torch.from_numpy(image).cuda()
                for _ in range(20):
                    work = torch.tanh(work @ work)
                x += source + 0 * work[0, 0]
                y = torch.from_dlpack(model.run_on_device(x, 0.3)) * 1
                assert_close(y.cpu().numpy(), run(path, image, 0.3))


def test_a_baked_model_takes_tensors_too(tmp_path: Path):
    path = save(baked(0.3), tmp_path / "model.onnx")
    with load(path, "cuda") as model:
        y = torch.from_dlpack(model.run_on_device(torch.from_numpy(IMAGE).cuda()))
        assert y.is_cuda
        assert_close(y.cpu().numpy(), run(path, IMAGE))


def test_a_model_that_is_pinned_gives_tensors_back_on_the_gpu(path: Path):
    with load(path, "cuda", alpha_policy="pinned") as model:
        y = torch.from_dlpack(model.run_on_device(torch.from_numpy(IMAGE).cuda(), 0.3))
        assert y.is_cuda
        assert_close(y.cpu().numpy(), run(path, IMAGE, 0.3))


def test_threads_come_and_go_and_leave_nothing_behind(path: Path):
    wanted = {alpha: run(path, IMAGE, alpha) for alpha in ALPHAS}
    wrong: list[float] = []
    with load(path, "cuda") as model:

        def work(alpha: float) -> None:
            if np.abs(model(IMAGE, alpha) - wanted[alpha]).max() > 1e-5:
                wrong.append(alpha)

        def run_threads(count: int) -> None:
            threads = [threading.Thread(target=work, args=(ALPHAS[i % len(ALPHAS)],)) for i in range(count)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        work(0.31)
        run_threads(4)
        free_before, _ = torch.cuda.mem_get_info()
        for _ in range(10):
            run_threads(4)
        free_after, _ = torch.cuda.mem_get_info()
    assert not wrong
    assert free_before - free_after < THREAD_BYTES


def test_models_that_capture_beside_each_other_are_right(path: Path, tmp_path: Path):
    other = save(conv_stack(seed=5), tmp_path / "other.onnx")
    failures: list[str] = []

    def work(file: Path, alpha: float) -> None:
        try:
            with load(file, "cuda") as model:
                for size in range(8, 72, 8):
                    for seed in range(3):
                        x = noise(1, 3, size, size, seed=seed)
                        assert_close(model(x, alpha), run(file, x, alpha))
        except Exception as error:
            failures.append(str(error))

    threads = [threading.Thread(target=work, args=args) for args in ((path, 0.3), (other, 0.6), (path, 0.9))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_images_are_those_of_the_cpu(tmp_path: Path, dtype: type):
    path = save(conv_stack(scale=2), tmp_path / "model.onnx")
    image = picture(70, 90, 3, dtype=dtype)
    with load(path, "cuda") as cuda, load(path, "cpu") as cpu:
        for options in ({}, {"tile": 32}, {"tile": 48, "overlap": 8}):
            got, wanted = (model.enhance(image, 0.4, **options) for model in (cuda, cpu))
            assert got.dtype == dtype
            # A level for what rounds the other way, another where tiles fade; of uint16, what float32 sums differ by.
            limit = 2 if dtype == np.uint8 else 8
            assert abs(got.astype(int) - wanted.astype(int)).max() <= limit
        assert on_device(cuda)._integers


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_bound_call_follows_image_and_alpha(dtype: str, tmp_path: Path):
    network, a, b = pair("prelu")
    path = tmp_path / "model.onnx"
    export([a, b], path, alpha_input=True, arch=network, dtype=dtype)
    x, out = torch.zeros(IMAGE.shape, device="cuda"), torch.zeros(IMAGE.shape, device="cuda")
    with load(path, "cuda") as model:
        call = model.bind(x, out)
        for seed, alpha in enumerate(ALPHAS):
            image = photo(*IMAGE.shape, seed=seed)
            x.copy_(torch.from_numpy(image))
            call(alpha)
            wanted = run(path, image, alpha)
            assert_close(out.cpu().numpy(), wanted, 1e-5 if dtype == "float32" else HALF_TOLERANCE)
        with pytest.raises(InputError, match=r"out has shape \(2, 3, 28, 13\); the network makes \(2, 3, 28, 12\)"):
            model.bind(x, torch.zeros(2, 3, 28, 13, device="cuda"))


def test_tensors_elsewhere_are_refused(path: Path):
    x = torch.from_numpy(IMAGE)
    with load(path, "cuda") as model:
        with pytest.raises(InputError, match="x lies on the CPU; expected a tensor on the model's GPU"):
            model.run_on_device(x, 0.3)
        with pytest.raises(InputError, match="out lies on the CPU"):
            model.bind(x.cuda(), x)

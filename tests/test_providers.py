import os
import subprocess
import sys
import textwrap

import onnxruntime
import pytest
from conftest import why_no_cuda
from onnx_models import conv_stack, noise, save

from dni_runtime import PROVIDERS, InputError, ProviderError, load, providers
from dni_runtime.providers import open_session, why_not


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    return save(conv_stack(), tmp_path_factory.mktemp("providers") / "model.onnx")


def skip_where_cuda_works():
    if why_no_cuda() is None:
        pytest.skip("CUDA works here")


def test_names():
    assert PROVIDERS == ("auto", "cpu", "cuda", "tensorrt", "openvino")


def test_unknown_provider_names_the_known_ones(model_path):
    with pytest.raises(ProviderError, match="provider is 'gpu'; expected one of auto, cpu, cuda, tensorrt, openvino"):
        load(model_path, "gpu")


def test_cpu_was_asked_for(model_path):
    opened = open_session(str(model_path), "cpu")
    assert (opened.provider, opened.note) == ("cpu", "cpu was asked for")
    assert opened.session.get_providers() == ["CPUExecutionProvider"]


def test_session_from_bytes():
    assert open_session(conv_stack().SerializeToString(), "cpu").provider == "cpu"


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_threads_reach_the_session(model_path, threads):
    session = open_session(str(model_path), "cpu", threads=threads).session
    assert session.get_session_options().intra_op_num_threads == (threads or 0)


@pytest.mark.parametrize("threads", [0, -1])
def test_too_few_threads(model_path, threads):
    with pytest.raises(InputError, match=f"threads is {threads}; expected 1 or more"):
        load(model_path, "cpu", threads=threads)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_asking_for_a_missing_gpu_is_an_error_that_names_what_is_missing(model_path, provider):
    skip_where_cuda_works()
    missing = r"no NVIDIA driver|offers no GPU|Failed to load|has no .* build; .*dni-deploy\[cuda\]"
    with pytest.raises(ProviderError, match=rf"{provider} is not available: .*({missing})"):
        load(model_path, provider)


def test_a_session_that_fell_back_to_the_cpu_is_refused(model_path, monkeypatch):
    """What ONNX Runtime does where our own checks saw nothing missing: it lists CUDA and uses the CPU."""
    skip_where_cuda_works()
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has no CUDA build")
    monkeypatch.setattr(providers, "why_not", lambda provider: None)
    with pytest.raises(ProviderError, match=r"cuda is not available: ONNX Runtime could not load it"):
        load(model_path, "cuda")
    with pytest.raises(ProviderError, match="tensorrt is not available: the TensorRT libraries are missing"):
        load(model_path, "tensorrt")


def test_auto_takes_the_cpu_and_says_why(model_path):
    skip_where_cuda_works()
    with load(model_path) as model:
        assert model.provider == "cpu"
        assert model.provider_note == f"auto chose cpu: cuda is not available: {why_not('cuda')}"


def test_a_build_without_cuda_is_named():
    # No second onnxruntime can be installed beside this one, so the provider is one that no wheel has.
    missing = "RknpuExecutionProvider"
    assert missing not in onnxruntime.get_available_providers()
    providers._CHAINS["rknpu"] = [(missing, {})]
    try:
        assert "has no rknpu build; pip uninstall onnxruntime, then" in (why_not("rknpu") or "")
    finally:
        del providers._CHAINS["rknpu"]


def test_auto_keeps_the_terminal_clean(model_path):
    program = f"import dni_runtime; dni_runtime.load({str(model_path)!r})"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment())
    assert (run.stdout, run.stderr) == ("", "")


def test_a_hidden_gpu_is_no_device(model_path):
    program = textwrap.dedent(f"""
        import dni_runtime
        try:
            dni_runtime.load({str(model_path)!r}, "cuda")
        except dni_runtime.ProviderError as error:
            print(error)
    """)
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment() | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert "cuda is not available: " in run.stdout


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@pytest.mark.gpu
def test_auto_takes_cuda(model_path):
    with load(model_path) as model:
        assert model.provider == "cuda"
        assert model.provider_note == "auto chose cuda, which works here"


@pytest.mark.gpu
def test_cuda_equals_cpu_and_follows_alpha(model_path):
    x = noise(2, 3, 40, 56)
    with load(model_path, "cuda") as cuda, load(model_path, "cpu") as cpu:
        results = [cuda(x, alpha) for alpha in (0.0, 0.4, 1.0)]
        for alpha, result in zip((0.0, 0.4, 1.0), results, strict=True):
            # float32 without TF32; cuDNN sums in another order
            assert abs(result - cpu(x, alpha)).max() <= 1e-4
        assert abs(results[0] - results[2]).max() > 0.1

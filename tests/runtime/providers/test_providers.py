import os
import subprocess
import sys
import textwrap

import onnxruntime
import pytest
from gpus import why_no_cuda
from onnx_models import conv_stack, noise, save

from dni_runtime import PROVIDERS, InputError, ProviderError, load
from dni_runtime.providers import choosing, nvidia
from dni_runtime.providers.chains import CHAINS, chain_of
from dni_runtime.providers.choosing import why_not
from dni_runtime.providers.sessions import Place, open_session


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    return save(conv_stack(), tmp_path_factory.mktemp("providers") / "model.onnx")


def skip_where_cuda_works():
    if why_no_cuda() is None:
        pytest.skip("CUDA works here")


def test_names():
    assert PROVIDERS == ("auto", "fastest", "cpu", "cuda", "tensorrt", "openvino", "ncnn")


def test_unknown_provider_names_the_known_ones(model_path):
    with pytest.raises(ProviderError, match="provider is 'gpu'; expected one of auto, fastest, cpu, cuda, tensorrt"):
        load(model_path, "gpu")


def test_cpu_was_asked_for(model_path):
    opened = open_session(str(model_path), Place("cpu"))
    assert (opened.provider, opened.note) == ("cpu", "cpu was asked for")
    assert opened.session.get_providers() == ["CPUExecutionProvider"]


def test_session_from_bytes():
    assert open_session(conv_stack().SerializeToString(), Place("cpu")).provider == "cpu"


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_threads_reach_the_session(model_path, threads):
    session = open_session(str(model_path), Place("cpu", threads)).session
    assert session.get_session_options().intra_op_num_threads == (threads or 0)


@pytest.mark.parametrize("threads", [0, -1])
def test_too_few_threads(model_path, threads):
    with pytest.raises(InputError, match=f"threads is {threads}; expected 1 or more"):
        load(model_path, "cpu", threads=threads)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_asking_for_a_missing_gpu_is_an_error_that_names_what_is_missing(model_path, provider):
    skip_where_cuda_works()
    missing = r"no NVIDIA driver|offers no GPU|Failed to load|could not be loaded|has no .* build; .*dni-deploy\[cuda\]"
    with pytest.raises(ProviderError, match=rf"{provider} is not available: .*({missing})"):
        load(model_path, provider)


def test_a_session_that_fell_back_to_the_cpu_is_refused(model_path, monkeypatch):
    """What ONNX Runtime does where our own checks saw nothing missing: it lists CUDA and uses the CPU."""
    skip_where_cuda_works()
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has no CUDA build")
    monkeypatch.setattr(choosing, "why_not", lambda provider: None)
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
    CHAINS["rknpu"] = [(missing, {})]
    try:
        assert "has no rknpu build; pip uninstall onnxruntime, then" in (why_not("rknpu") or "")
    finally:
        del CHAINS["rknpu"]


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


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_tensor_cores_are_for_float16(provider: str):
    """What TensorRT leaves to CUDA as well."""
    for half, use_tf32 in ((False, "0"), (True, "1")):
        options = dict(chain_of(provider, {}, half))
        assert options["CUDAExecutionProvider"] == {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": use_tf32}
        assert options["CPUExecutionProvider"] == {}
    assert "use_tf32" not in dict(chain_of("tensorrt", {}, True))["TensorrtExecutionProvider"]


@pytest.mark.parametrize("half", [False, True])
def test_given_options_go_before_ours(half: bool):
    given = {"use_tf32": "0" if half else "1", "cudnn_conv_algo_search": "EXHAUSTIVE", "device_id": "1"}
    assert chain_of("cuda", given, half)[0] == ("CUDAExecutionProvider", given)
    assert chain_of("cuda", {}, False)[0][1]["use_tf32"] == "0"  # and do not stay


@pytest.mark.parametrize("half", [False, True])
def test_products_that_are_not_the_networks_have_all_of_float32(half: bool):
    place = Place("cuda", options={"use_tf32": "1", "device_id": "1"}, half=half).exact()
    (_, options), *_ = chain_of(place.provider, place.options, place.half)
    assert options["use_tf32"] == "0"
    assert options["device_id"] == "1"


def test_tensorrt_and_what_it_leaves_to_cuda_are_on_one_gpu():
    options = dict(chain_of("tensorrt", {"device_id": "1", "trt_int8_enable": "0"}, False))
    assert options["TensorrtExecutionProvider"]["device_id"] == options["CUDAExecutionProvider"]["device_id"] == "1"
    assert "trt_int8_enable" not in options["CUDAExecutionProvider"]


def test_a_place_passes_on_what_its_model_computes_in(model_path, monkeypatch):
    """Seen where ONNX Runtime is called: without a GPU it would not take CUDA's options."""
    seen = []
    monkeypatch.setattr(choosing, "why_not", lambda provider: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **given: seen.append(given) or Session())
    Place("cuda", half=True).open(str(model_path))
    Place("cuda", half=True).with_cuda_graphs().open(str(model_path))
    Place("cuda").open(str(model_path))
    assert [dict(given["providers"])["CUDAExecutionProvider"]["use_tf32"] for given in seen] == ["1", "1", "0"]


class Session:
    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_half_is_nothing_to_the_cpu(model_path):
    place = Place("cpu", half=True)
    assert place.open(str(model_path)).get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize(("options", "device_id"), [({}, 0), ({"device_id": "0"}, 0), ({"device_id": "12"}, 12)])
def test_device_id(options: dict[str, str], device_id: int):
    assert Place("cuda", options=options).device_id == device_id


@pytest.mark.parametrize("text", ["-1", "first", "", "1.0", "٣"])
def test_a_device_id_that_is_no_number(model_path, text: str):
    message = f"device_id is '{text}'; expected the number of a GPU, 0 or more"
    with pytest.raises(InputError, match=message):
        _ = Place("cuda", options={"device_id": text}).device_id
    for provider in ("auto", "cuda", "tensorrt"):
        with pytest.raises(InputError, match=message):
            open_session(str(model_path), Place(provider, options={"device_id": text}))


BUILT = [chain[0][0] for chain in CHAINS.values()]


@pytest.mark.parametrize(("count", "expected"), [(1, "1 GPU; expected 0"), (3, "3 GPUs; expected 0 to 2")])
def test_a_device_id_beyond_the_last_gpu(model_path, monkeypatch, count: int, expected: str):
    """A machine with GPUs, as far as the driver tells."""
    monkeypatch.setattr(nvidia, "_driver", lambda: (count, None))
    monkeypatch.setattr(choosing, "missing_libraries", lambda: None)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: BUILT)
    for provider in ("cuda", "tensorrt"):
        message = f"^{provider} is not available: device_id is 3, but the driver offers {expected}$"
        with pytest.raises(ProviderError, match=message):
            open_session(str(model_path), Place(provider, options={"device_id": "3"}))
    opened = open_session(str(model_path), Place("auto", options={"device_id": "3"}))
    assert opened.provider == "cpu"
    assert opened.note == f"auto chose cpu: cuda is not available: device_id is 3, but the driver offers {expected}"


def test_a_missing_cudnn_is_noticed(model_path, monkeypatch):
    """ONNX Runtime itself says nothing until the first convolution. The name is one that no loader finds."""
    monkeypatch.setattr(nvidia, "_CUDNN", "libcudnn-that-is-nowhere.so.9")
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: BUILT)
    monkeypatch.setattr(nvidia, "_driver", lambda: (1, None))
    monkeypatch.setattr(choosing, "missing_libraries", nvidia.missing_libraries.__wrapped__)
    reason = why_not("cuda") or ""
    assert reason.startswith("cuDNN 9 could not be loaded (") and "libcudnn-that-is-nowhere.so.9" in reason
    assert reason.endswith('). CUDA and cuDNN come with pip install "dni-deploy[cuda]"')
    with pytest.raises(ProviderError, match=r"^cuda is not available: cuDNN 9 could not be loaded"):
        load(model_path, "cuda")
    with load(model_path) as model:
        assert (model.provider, model.provider_note) == ("cpu", f"auto chose cpu: cuda is not available: {reason}")


def test_a_cudnn_that_can_be_loaded_is_not_missing(monkeypatch):
    """In its place: the interpreter itself, or a library that every Windows has."""
    monkeypatch.setattr(nvidia, "_CUDNN", None if sys.platform != "win32" else "kernel32.dll")
    assert nvidia._missing_cudnn() is None


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


@pytest.mark.gpu
@pytest.mark.parametrize("half", [False, True])
def test_tf32_as_onnx_runtime_has_it(model_path, half):
    session = Place("cuda", half=half).open(str(model_path))
    assert session.get_provider_options()["CUDAExecutionProvider"]["use_tf32"] == str(int(half))


@pytest.mark.gpu
def test_a_device_id_that_this_machine_does_not_have(model_path):
    count = nvidia.gpu_count()
    for number in (count, 99):
        with pytest.raises(ProviderError, match=f"device_id is {number}, but the driver offers {count} GPU"):
            load(model_path, "cuda", provider_options={"device_id": str(number)})
    with load(model_path, "cuda", provider_options={"device_id": str(count - 1)}) as model:
        assert model.provider == "cuda"


# As where the library is missing, and as late: sessions come up, and every convolution fails.
NO_CUDNN = {"enable_cudnn": "0"}


@pytest.mark.gpu
def test_without_cudnn_auto_takes_the_cpu_and_says_why(model_path):
    x = noise(1, 3, 16, 16)
    with load(model_path, provider_options=NO_CUDNN) as model, load(model_path, "cpu") as cpu:
        assert model.provider == "cpu"
        assert model.provider_note.startswith("auto chose cpu: ")
        assert "cudnn" in model.provider_note.lower()
        assert abs(model(x, 0.5) - cpu(x, 0.5)).max() <= 1e-5  # both on the CPU


@pytest.mark.gpu
def test_without_cudnn_cuda_is_refused_when_it_is_loaded(model_path):
    with pytest.raises(ProviderError, match=r"(?i)\bcudnn\b"):
        load(model_path, "cuda", provider_options=NO_CUDNN)

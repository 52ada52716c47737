"""What the approaches are called, in the raw results and on the page."""

BAKED = "baked file, CUDA graph"
BAKED_NHWC = "baked file, CUDA graph, NHWC"
BAKED_NHWC_BIAS = "baked file, CUDA graph, NHWC, fused bias"
OURS = "dni_runtime"
MOVING = ", new alpha every call"
OURS_NEW = OURS + MOVING
OURS_BIAS = "dni_runtime, fused bias"
OURS_BIAS_NEW = OURS_BIAS + MOVING
OURS_TENSOR = "dni_runtime, tensor to tensor"
OURS_NUMPY = "dni_runtime, NumPy to NumPy"
NAIVE = "alpha-input file"
NAIVE_GRAPH = "alpha-input file, CUDA graph"
EAGER = "PyTorch eager"
EAGER_NEW = EAGER + MOVING
TORCH_GRAPH = "PyTorch eager, CUDA graph"
TORCH_GRAPH_NEW = TORCH_GRAPH + MOVING
COMPILED = "torch.compile"
REDUCED = "torch.compile, reduce-overhead"
AOTI = "AOTInductor"
AOTI_GRAPH = "AOTInductor, CUDA graph"
NEW_SESSION = "new session per alpha"

# These compute no image; they are timed in the same rounds for what a change of alpha costs.
BLEND_TORCH = "blend alone: PyTorch, torch._foreach"
LOAD_CONSTANTS = "blend alone: PyTorch, then AOTInductor's load_constants"
COPY = "copying as many bytes as a blend reads and writes"

ALL_BAKED = (BAKED, BAKED_NHWC, BAKED_NHWC_BIAS)
# Ours and the baked files that it is held against: the fused biases are an option on both sides.
PAIRS = ((OURS, (BAKED, BAKED_NHWC)), (OURS_BIAS, (BAKED_NHWC_BIAS,)))
NO_IMAGE = (BLEND_TORCH, LOAD_CONSTANTS, COPY)
# What users have today without ONNX; a bound says that we are faster.
PEERS = (EAGER, COMPILED, REDUCED, AOTI)

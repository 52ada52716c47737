"""What PyTorch's checkpoints name: how tensors are rebuilt, types, and the classes of what lies beside weights."""

import torch

STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexDoubleStorage": torch.complex128,
    "ComplexFloatStorage": torch.complex64,
    "UntypedStorage": torch.uint8,
    "QInt8Storage": torch.qint8,
    "QUInt8Storage": torch.quint8,
    "QInt32Storage": torch.qint32,
    "QUInt4x2Storage": torch.quint4x2,
    "QUInt2x4Storage": torch.quint2x4,
}
DTYPES = {name: value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
# Dense tensors, and where in the arguments their metadata is.
DENSE = {"_rebuild_tensor": 4, "_rebuild_tensor_v2": 6, "_rebuild_tensor_v3": 7}
OTHERS = {
    "_rebuild_sparse_tensor": "a sparse tensor",
    "_rebuild_qtensor": "a quantized tensor",
    "_rebuild_nested_tensor": "a nested tensor",
    "_rebuild_njt": "a nested tensor",
    "_rebuild_meta_tensor_no_storage": "a tensor without values (on the device meta)",
    "_rebuild_wrapper_subclass": "a tensor of another library",
    "_rebuild_device_tensor_from_cpu_tensor": "a tensor of another device",
    "_rebuild_device_tensor_from_numpy": "a tensor of another device",
    "UninitializedParameter": "a parameter without values",
    "UninitializedBuffer": "a buffer without values",
}
# What else lies beside weights in checkpoints: optimizers, counters, random states.
_VALUES = {
    "collections": {"OrderedDict", "Counter"},
    "builtins": {"set", "bytearray", "complex"},
    "__builtin__": {"set", "bytearray", "complex"},
    "_codecs": {"encode"},
    "torch": {"Size", "device", "Tensor", *DTYPES},
    "torch.storage": {"UntypedStorage", "TypedStorage"},
    "torch.nn.parameter": {"Parameter", "UninitializedParameter", "UninitializedBuffer"},
    "torch.serialization": {"_get_layout"},
    "torch._tensor": {"_rebuild_from_type_v2"},
    "torch._utils": {"_rebuild_parameter", "_rebuild_parameter_with_state", *DENSE, *OTHERS},
    "torch.nested._internal.nested_tensor": {"NestedTensor", "_rebuild_njt"},
    "torch._dynamo.decorators": {"_DimRange"},  # nested tensors, too
}


def is_known(module: str, name: str) -> bool:
    """Whether weights and what lies beside them may name this. It is not resolved, and never called."""
    if name in _VALUES.get(module, ()):
        return True
    # torch.FloatStorage, torch.cuda.FloatTensor; torch.per_tensor_affine is how a quantized tensor is scaled.
    tensors = module in ("torch", "torch.cuda") and name.endswith(("Storage", "Tensor"))
    return name.isidentifier() and (tensors or (module == "torch" and name.startswith("per_")))

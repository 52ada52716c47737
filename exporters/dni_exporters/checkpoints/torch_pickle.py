"""What a PyTorch checkpoint's pickle says, without calling anything that it names.

PyTorch's own reader for strangers' files (`weights_only=True`) calls what is on a list, with arguments from the file:
a pickle of 350 bytes makes it wait for a named pipe or read a device without end (`traceback.FrameSummary`), take 2 GB
(`bytearray(2000000000)`, `torch.FloatTensor(2000000000)`) or hash a nested key for ever. Here names are only compared,
tensors are only described, and what is neither weights nor plain values is left out.
"""

import pickle
from collections.abc import Callable
from typing import Any, BinaryIO, ClassVar, NamedTuple, NoReturn

from dni_runtime import CheckpointError

from .stored import OtherTensor, Storage, StoredTensor
from .torch_names import DENSE, DTYPES, OTHERS, STORAGES, is_known

# A tensor takes about 200 bytes, most of them its name; the largest networks have a few thousand, and optimizers three
# times as many. Of this size a pickle of the worst kind takes 0.6 GB and 6 s.
STRUCTURE_LIMIT_BYTES = 2**23
# torch.save takes 2 unless it is told otherwise; 4 has operations that PyTorch's reader for strangers' files has not.
_NEWEST_PROTOCOL = 3


class Name(NamedTuple):
    """Something that the pickle names."""

    module: str
    name: str


class Other(NamedTuple):
    """A value that is of no use for weights."""

    kind: str


class Part(NamedTuple):
    """A storage from its element `start` on, which PyTorch kept by itself before 1.0."""

    storage: Storage
    start: int


_KEPT = (dict, StoredTensor, OtherTensor, str, int, float, bool)


class _Operations(dict[int, Callable[[Any], None]]):
    def __missing__(self, code: int) -> NoReturn:
        _damaged(f"the operation {code:#04x}, which PyTorch does not write")


class WeightsUnpickler(pickle._Unpickler):
    """Reads one pickle after the other from `file`; `storages` are those that were named, by key.

    Raises CheckpointError for a pickle that names what it has no business with; anything else for damage.
    """

    # The operations of PyTorch's own reader: those that only make data, and those that are replaced below.
    _kept = (
        pickle.APPEND + pickle.APPENDS + pickle.MARK + pickle.TUPLE + pickle.TUPLE1 + pickle.TUPLE2 + pickle.TUPLE3
        + pickle.NONE + pickle.NEWFALSE + pickle.NEWTRUE + pickle.EMPTY_TUPLE + pickle.EMPTY_LIST + pickle.EMPTY_DICT
        + pickle.BININT + pickle.BININT1 + pickle.BININT2 + pickle.BINFLOAT + pickle.BINUNICODE
        + pickle.SHORT_BINSTRING + pickle.BINGET + pickle.LONG_BINGET + pickle.BINPUT + pickle.LONG_BINPUT
        + pickle.LONG1 + pickle.PROTO + pickle.STOP + pickle.GLOBAL + pickle.BINPERSID
    )  # fmt: skip
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = _Operations(
        {code: pickle._Unpickler.dispatch[code] for code in _kept}
    )
    stack: list[Any]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, file: BinaryIO, path: object) -> None:
        super().__init__(file, encoding="utf-8")
        self._path = path
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Name:
        if not is_known(module, name):
            raise CheckpointError(
                f"{self._path} wants to run code when it is loaded ({_called(module, name)}), which is refused; "
                "ask its author for a file of tensors only (a state_dict, best as .safetensors)"
            )
        return Name(module, name)

    def persistent_load(self, pid: Any) -> Storage | Part | Other:
        kind, storage_type, key, _, count, *view = pid
        if kind != "storage":
            _damaged(f"{kind} where a storage was expected")
        dtype = STORAGES.get(storage_type.name)
        if dtype is None:
            return Other(storage_type.name)
        if type(key) is not str or type(count) is not int or count < 0:
            _damaged("a storage without a name or a size")
        storage = Storage(key, dtype, count)
        self.storages.setdefault(key, storage)
        if any(part is not None for part in view):
            ((_, start, _),) = view
            return Part(storage, start)
        return storage

    def load_proto(self) -> None:
        protocol = self.read(1)[0]
        if protocol > _NEWEST_PROTOCOL:
            raise CheckpointError(
                f"{self._path} was saved with pickle_protocol={protocol}; expected up to {_NEWEST_PROTOCOL}: load it "
                "in PyTorch and save it again without that argument"
            )

    dispatch[pickle.PROTO[0]] = load_proto

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], arguments)

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_reduce

    def load_build(self) -> None:
        self.stack.pop()  # attributes of a dictionary or a parameter

    dispatch[pickle.BUILD[0]] = load_build

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _update(self.stack[-1], [key, value])

    dispatch[pickle.SETITEM[0]] = load_setitem

    def load_setitems(self) -> None:
        items = self.pop_mark()
        _update(self.stack[-1], items)

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def _call(self, called: Any, arguments: Any) -> Any:
        """What the call would give: a dictionary, a described tensor, or something of no use."""
        if type(called) is not Name or type(arguments) is not tuple:
            _damaged("a call of what is no name")
        name = called.name
        if name in ("OrderedDict", "Size"):
            return _ordered(arguments) if name == "OrderedDict" else arguments[0]
        if name in ("Parameter", "_rebuild_parameter", "_rebuild_parameter_with_state"):
            return arguments[0]
        if name == "_rebuild_from_type_v2":
            rebuild, kind, inner, _ = arguments
            # A tensor with attributes of its own, or one of another class, which computes in its own way.
            return self._call(rebuild, inner) if kind.name in ("Tensor", "Parameter") else OtherTensor(f"a {kind.name}")
        if name in OTHERS:
            return OtherTensor(OTHERS[name])
        return _dense(name, arguments) if name in DENSE else Other(name)


def _dense(name: str, arguments: tuple[Any, ...]) -> StoredTensor | OtherTensor:
    storage, offset, shape, stride = arguments[:4]
    if type(storage) is Other:
        return OtherTensor(f"a tensor of a {storage.kind}")
    start = 0
    if type(storage) is Part:
        storage, start = storage
    if any(arguments[DENSE[name] :]):
        return OtherTensor("a tensor with pending signs (conj or neg)")
    dtype = storage.dtype
    if name == "_rebuild_tensor_v3":
        dtype = DTYPES[arguments[6].name]
    numbers = (offset, start, *shape, *stride)
    if any(type(number) is not int or not 0 <= number < 2**63 for number in numbers) or len(shape) != len(stride):
        _damaged("a tensor of an impossible shape")
    return StoredTensor(storage, dtype, offset + start, tuple(shape), tuple(stride))


def _update(target: Any, items: list[Any]) -> None:
    """Put pairs into a dictionary, those that may be weights or say something of them.

    Hashing other keys than names may take for ever; no weights are in lists.
    """
    if type(target) is dict:
        pairs = zip(items[::2], items[1::2], strict=True)
        target.update((key, value) for key, value in pairs if type(key) is str and isinstance(value, _KEPT))
    elif type(target) is not Other:
        _damaged("items of what is no dictionary")


def _ordered(arguments: tuple[Any, ...]) -> dict[str, Any]:
    """An OrderedDict: empty, or with its pairs as Python 2 wrote it."""
    made: dict[str, Any] = {}
    if arguments:
        _update(made, [part for pair in arguments[0] for part in (pair[0], pair[1])])
        arguments[0].clear()  # whoever refers to the list a thousand times gets it once
    return made


def _called(module: str, name: str) -> str:
    """The name as Python would say it."""
    return name if module in ("builtins", "__builtin__") else f"{module}.{name}"


def _damaged(what: str) -> NoReturn:
    raise pickle.UnpicklingError(what)

"""The two formats of PyTorch's checkpoints: a zip archive, and a row of pickles before version 1.6.

Each is read by one parser alone, whose word is taken for all: where numbers lie, how many there are, whether they are
compressed. What the pickle in it says has to agree.
"""

import io
import struct
import sys
import zipfile
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
from torch.serialization import MAGIC_NUMBER

from dni_runtime import CheckpointError

from .stored import Storage
from .torch_pickle import STRUCTURE_LIMIT_BYTES, WeightsUnpickler

# caffe2/serialize/versions.h: kMaxSupportedFileFormatVersion
_NEWEST_FORMAT = 10
_CHUNK_BYTES = 2**20


class TorchFile(Protocol):
    """A checkpoint whose structure is known, and whose numbers are read when they are asked for.

    container: all that it holds, with a StoredTensor for each tensor.
    """

    container: Any

    def read(self, storage: Storage) -> bytearray:
        """Its bytes in this machine's order. Raises where there are not as many as it says."""


def open_torch_file(file: BinaryIO, path: object) -> TorchFile:
    """Raises CheckpointError where the file is no checkpoint or asks for too much, anything else for damage."""
    if file.read(4) == b"PK\x03\x04":
        return ZipFile(file, path)
    file.seek(0)
    return LegacyFile(file, path)


class ZipFile:
    """Since PyTorch 1.6: `NAME/data.pkl`, and each storage as a file of its own, `NAME/data/KEY`."""

    def __init__(self, file: BinaryIO, path: object) -> None:
        self._archive = zipfile.ZipFile(cast(BinaryIO, _Bounded(file, path)))
        members = self._archive.infolist()
        self._members = {member.filename: member for member in members}
        if len(self._members) < len(members):
            raise ValueError("two members of one name")
        for member in members:
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # the others inflate at once
                raise ValueError(f"{member.filename} is compressed in a way that PyTorch does not know")
            if member.compress_type == zipfile.ZIP_STORED:
                if member.compress_size != member.file_size:
                    raise ValueError(f"{member.filename} of {member.compress_size} and of {member.file_size} bytes")
                if member.CRC == 0:  # not computed: torch.serialization.set_crc32_options(False)
                    del member.CRC
        (pickle_name,) = [name for name in self._members if name.endswith("/data.pkl") and name.count("/") == 1]
        self._folder = pickle_name.removesuffix("data.pkl")
        if f"{self._folder}constants.pkl" in self._members:
            raise CheckpointError(f"{path} is a TorchScript program, not a checkpoint; save its state_dict() instead")
        if (version := int(self._small("version"))) > _NEWEST_FORMAT:
            raise CheckpointError(
                f"{path} is of PyTorch's file format {version}, newer than {_NEWEST_FORMAT}; save it as .safetensors"
            )
        if (order := self._small("byteorder", "little")) not in ("little", "big"):
            raise ValueError(f"the byte order {order!r}")
        self._swapped = order != sys.byteorder
        pickled = self._members[pickle_name]
        if pickled.file_size > STRUCTURE_LIMIT_BYTES:
            raise too_long(path)
        self.container = WeightsUnpickler(io.BytesIO(self._read(pickled)), path).load()

    def read(self, storage: Storage) -> bytearray:
        member = self._members.get(f"{self._folder}data/{storage.key}")
        if member is None:
            raise ValueError(f"no data of storage {storage.key}")
        # A storage of other tensors' type may end in the middle of a number.
        if not 0 <= member.file_size - storage.nbytes < storage.dtype.itemsize:
            raise ValueError(f"{member.filename} of {member.file_size} bytes, {storage.nbytes} expected")
        data = self._read(member)
        if self._swapped:
            width = storage.dtype.itemsize // (2 if storage.dtype.is_complex else 1)
            np.frombuffer(data, f"u{width}", storage.nbytes // width).byteswap(inplace=True)
        return data

    def _small(self, name: str, default: str = "") -> str:
        """The text of one of the small files that say how the others are to be read."""
        member = self._members.get(self._folder + name)
        if member is None:
            return default
        if member.file_size > 100:
            raise ValueError(f"{name} of {member.file_size} bytes")
        return self._read(member).decode("ascii").strip()

    def _read(self, member: zipfile.ZipInfo) -> bytearray:
        """A member's bytes, as many as the directory says; read piece by piece, so that they are in memory once."""
        data = bytearray(member.file_size)
        position = 0
        with self._archive.open(member) as stream:
            while piece := stream.read(_CHUNK_BYTES):
                data[position : position + len(piece)] = piece
                position += len(piece)
        if position != member.file_size:
            raise ValueError(f"{member.filename} of {position} bytes, {member.file_size} expected")
        return data


class LegacyFile:
    """Before PyTorch 1.6: pickles of a mark, a version, a system, the container and the storages' keys; their bytes."""

    def __init__(self, file: BinaryIO, path: object) -> None:
        head = io.BytesIO(file.read(STRUCTURE_LIMIT_BYTES))
        try:
            marks = [WeightsUnpickler(head, path).load() for _ in range(3)]
            unpickler = WeightsUnpickler(head, path)
            self.container = unpickler.load()
            keys = WeightsUnpickler(head, path).load()
        except EOFError:
            if len(head.getvalue()) == STRUCTURE_LIMIT_BYTES:
                raise too_long(path) from None
            raise
        if marks[0] != MAGIC_NUMBER:
            raise ValueError("no checkpoint's mark")
        self._file = file
        self._starts: dict[str, int] = {}
        position = head.tell()
        for key in keys:
            self._starts[key] = position
            position += 8 + unpickler.storages[key].nbytes
        if position > file.seek(0, io.SEEK_END):
            raise EOFError

    def read(self, storage: Storage) -> bytearray:
        if storage.key not in self._starts:
            raise ValueError(f"no data of storage {storage.key}")
        self._file.seek(self._starts[storage.key])
        (count,) = struct.unpack("<q", self._file.read(8))
        if count != storage.count:
            raise ValueError(f"storage {storage.key} of {count} numbers, {storage.count} expected")
        data = bytearray(self._file.read(storage.nbytes))
        if len(data) < storage.nbytes:
            raise EOFError
        return data


class _Bounded:
    """A file for `zipfile`, which reads an archive's directory at once, however long it says to be.

    The same file, not another one of its descriptor: two would move each other's place in it.
    """

    def __init__(self, file: BinaryIO, path: object) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._file, self._path = file, path

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > STRUCTURE_LIMIT_BYTES:
            raise too_long(self._path)
        return self._file.read(-1 if size is None else size)


def too_long(path: object) -> CheckpointError:
    """What describes the tensors alone would take too much memory."""
    return CheckpointError(
        f"{path} needs more than {STRUCTURE_LIMIT_BYTES // 2**20} MiB to say what it holds, tensors' values aside; "
        "expected a few thousand tensors: save the network's state_dict() only"
    )

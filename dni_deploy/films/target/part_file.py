"""The pictures of one part of a film, encoded, in a file of their own until all parts are joined.

No format of FFmpeg's keeps ticks of any length for every codec, so this one is as plain as can be: a mark; packets, one
after the other, each with what stands beside it (opacity, in VP9); then what decoders have to know (extradata), a table
of the packets, and how long both are. A part that was cut off has no such end, and is none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from dni_deploy.films.target.encoding import Encoding
from dni_runtime import OutputError

if TYPE_CHECKING:
    from av import Packet, VideoFrame

_MARK = b"dni film part 1\n"
_END = struct.Struct("<QQ")
_ROW = np.dtype([("pts", "<i8"), ("size", "<u4"), ("beside", "<u4"), ("key", "<u1")])
_BLOCK_ADDITIONAL = 15  # FFmpeg's AV_PKT_DATA_MATROSKA_BLOCKADDITIONAL


class PartFile:
    """Frames go in, one after the other, with their `pts`; the file is whole when the `with` block has ended.

    Raises OSError where the disk does not take it.
    """

    def __init__(self, path: Path, encoding: Encoding) -> None:
        self._path, self._encoding = path, encoding
        self._rows: list[tuple[int, int, int, bool]] = []

    def __enter__(self) -> Self:
        self._context = self._encoding.context()
        self._file: BinaryIO = self._path.open("wb")
        self._file.write(_MARK)
        return self

    def write(self, frame: VideoFrame) -> None:
        """Encode a frame of the encoding's size and pixel format; `pts` grow from frame to frame."""
        frame.time_base = self._encoding.time_base
        frame.pict_type = 0  # how the source had encoded it is nothing to go by
        self._keep(self._context.encode(frame))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if kind is None:
                self._keep(self._context.encode(None))
                extradata, table = self._context.extradata or b"", np.array(self._rows, _ROW).tobytes()
                self._file.write(extradata + table + _END.pack(len(extradata), len(table)))

    def _keep(self, packets: list[Packet[Any]]) -> None:
        for packet in packets:
            beside = bytes(packet.get_sidedata("matroska_block_additional"))
            self._rows.append((packet.pts or 0, packet.size, len(beside), packet.is_keyframe))
            self._file.write(bytes(packet))
            self._file.write(beside)


@dataclass(frozen=True, slots=True)
class EncodedPart:
    """A part file, looked at. `pts`: of its packets, int64, in the order of decoding."""

    path: Path
    extradata: bytes
    _rows: npt.NDArray[Any]

    @property
    def pts(self) -> npt.NDArray[np.int64]:
        return self._rows["pts"]

    def packets(self) -> Iterator[Packet[Any]]:
        """Its packets, with `pts` alone. Raises OSError."""
        from av import Packet
        from av.packet import PacketSideData

        with self.path.open("rb") as file:
            file.seek(len(_MARK))
            for pts, size, beside, key in self._rows.tolist():
                packet: Packet[Any] = Packet(file.read(size))
                packet.pts, packet.is_keyframe = pts, bool(key)
                if beside:
                    data = PacketSideData(_BLOCK_ADDITIONAL, beside)  # type: ignore[call-arg]
                    data.update(file.read(beside))
                    packet.set_sidedata(data)
                yield packet


def read_part(path: Path) -> EncodedPart:
    """Raises OutputError where it is not a whole part, and OSError."""
    with path.open("rb") as file:
        size = path.stat().st_size
        if file.read(len(_MARK)) == _MARK and size >= len(_MARK) + _END.size:
            file.seek(size - _END.size)
            extradata, table = _END.unpack(file.read(_END.size))
            if table % _ROW.itemsize == 0 and len(_MARK) + extradata + table + _END.size <= size:
                file.seek(size - _END.size - table - extradata)
                found = EncodedPart(path, file.read(extradata), np.frombuffer(file.read(table), _ROW))
                sizes = found._rows["size"].sum(dtype=np.uint64) + found._rows["beside"].sum(dtype=np.uint64)
                if len(_MARK) + int(sizes) + extradata + table + _END.size == size:
                    return found
    raise OutputError(f"{path} is not a whole part of a film: begin anew, with --force in place of --resume")

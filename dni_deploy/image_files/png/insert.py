"""What a PNG file says beside its pixels, put in behind its header while an encoder writes it."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from dni_deploy.image_files.image_file import Tags

from .chunks import XMP, write_chunk

_HEADER_BYTES = 8 + 4 + 4 + 13 + 4
_METRES_PER_INCH = 0.0254


class Inserting:
    """A file to write, in which `tags` come behind the first 33 bytes, which are the signature and the header."""

    def __init__(self, file: BinaryIO, tags: Tags) -> None:
        self._file, self._tags, self._written = file, tags, 0
        self.flush = file.flush

    def write(self, content: bytes, /) -> int:
        """Append. No encoder writes across the end of the header."""
        self._file.write(content)
        before, self._written = self._written, self._written + len(content)
        if before < _HEADER_BYTES <= self._written:
            for kind, data in _chunks(self._tags):
                write_chunk(self._file, kind, data)
        return len(content)


def _chunks(tags: Tags) -> list[tuple[bytes, bytes]]:
    """In an order that the specification allows: all before a palette and the pixels."""
    result = []
    kinds = [kind for kind, _ in tags.chunks]
    if tags.icc is not None:
        result.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(tags.icc)))
    result += tags.chunks
    if tags.dpi is not None and b"pHYs" not in kinds:
        across, down = (min(round(dpi / _METRES_PER_INCH), 2**31 - 1) for dpi in tags.dpi)
        result.append((b"pHYs", struct.pack(">2IB", across, down, 1)))
    if tags.exif is not None:
        result.append((b"eXIf", tags.exif))
    if tags.xmp is not None:
        result.append((b"iTXt", XMP + bytes(5) + tags.xmp))
    if tags.comment is not None and not any(content.startswith(b"Comment\0") for _, content in tags.chunks):
        # Of UTF-8, which most comments are, where it is not plain ASCII.
        text = tags.comment.rstrip(b"\0").replace(b"\0", b" ")
        result.append((b"tEXt", b"Comment\0" + text) if text.isascii() else (b"iTXt", b"Comment" + bytes(5) + text))
    return result

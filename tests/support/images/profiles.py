"""A colour profile that is easily seen: red numbers mean blue, and blue ones red."""

import struct

from PIL import ImageCms


def swapped() -> bytes:
    """sRGB with two of its primaries exchanged, under another name."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack(">I", profile[128:132])
    for at in range(132, 132 + 12 * count, 12):
        tag = bytes(profile[at : at + 4])
        profile[at : at + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(tag, tag)
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "sBGR".encode("utf-16-be"))

"""Pickles that call something when they are loaded, by hand: nothing here is imported, let alone called."""

import io
import pickle
import zipfile
from pathlib import Path

from case import Place

FORMS = ("zip", "zip, a plain name", "legacy", "bare", "protocol 0", "after good tensors")
# A file as torch.save wrote it before 1.6 begins with these.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def call(module: str, name: str, argument: str, protocol: int = 2) -> bytes:
    """The pickle of `module.name(argument)`."""
    text = f"X{len(argument).to_bytes(4, 'little').decode('latin-1')}".encode("latin-1") + argument.encode()
    if protocol == 0:
        return f"c{module}\n{name}\n(V{argument}\ntR.".encode()
    return b"\x80\x02" + f"c{module}\n{name}\n".encode() + text + b"\x85R."


def write_call(place: Place, module: str, name: str, form: str) -> Path:
    """A checkpoint whose pickle makes `place.executed` with a shell, a file or Python, whatever the function takes."""
    path = str(place.executed)
    argument = {
        "eval": f"open({path!r}, 'w')", "exec": f"open({path!r}, 'w')", "execfile": path, "compile": "1", "open": path,
    }.get(name, f"touch {path}")  # fmt: skip
    pickled = call(module, name, argument, 0 if form == "protocol 0" else 2)
    if form == "after good tensors":
        pickled = pickle.dumps({"a": 1}, 2)[:-1] + b"0" + pickled[2:]
    target = place.inputs / "stranger.pth"
    if form.startswith("zip"):
        target.write_bytes(zipped({"data.pkl": pickled, "byteorder": b"little", "version": b"3\n"},
                                  "" if form == "zip, a plain name" else "archive/"))  # fmt: skip
    elif form == "legacy":
        target.write_bytes(b"".join(pickle.dumps(part, 2) for part in (_MAGIC, _PROTOCOL, {})) + pickled)
    else:
        target.write_bytes(pickled)
    return target


def zipped(members: dict[str, bytes], folder: str = "archive/", compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(f"{folder}{name}", data)
    return buffer.getvalue()

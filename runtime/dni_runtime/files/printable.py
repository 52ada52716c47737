"""Text from strangers as one line that a terminal only shows."""

import unicodedata

_KNOWN_LIMIT = 4096


def printable(text: object) -> str:
    r"""`str(text)` with everything escaped that moves a cursor, changes colours or hides: "\x1b", "\n", "\u202e".

    Names of files, models, tensors and layers are a stranger's; a terminal obeys what is in them, and a newline makes
    one message two. Letters of all scripts, spaces and pictures stay. Of a file name that is not UTF-8 the bytes are
    shown, as "\xff".
    """
    return str(text).translate(_SHOWN)


class _Shown(dict[int, str]):
    """Code point -> what is shown for it; made as it is needed, since a name may have millions of characters."""

    def __missing__(self, code: int) -> str:
        shown = _show(code)
        if len(self) < _KNOWN_LIMIT:
            self[code] = shown
        return shown


_SHOWN = _Shown()


def _show(code: int) -> str:
    character = chr(code)
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name, see PEP 383
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")

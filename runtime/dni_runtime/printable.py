"""Text from strangers as one line that a terminal only shows."""

import unicodedata


def printable(text: object) -> str:
    r"""`str(text)` with everything escaped that moves a cursor, changes colours or hides: "\x1b", "\n", "\u202e".

    Names of files, models, tensors and layers are a stranger's; a terminal obeys what is in them, and a newline makes
    one message two. Letters of all scripts, spaces and pictures stay. Of a file name that is not UTF-8 the bytes are
    shown, as "\xff".
    """
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else _escape(c) for c in str(text))


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name, see PEP 383
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")

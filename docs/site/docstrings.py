"""Docstrings as the reference shows them: their lists of arguments and attributes become lists in Markdown."""

import re
from typing import Any

from griffe import Extension, Object

_NAME = "(?:[a-z_][a-z0-9_]*|[A-Z_]+)"
_FIELD = re.compile(rf"(?P<names>{_NAME}(, {_NAME})*): +(?P<text>\S.*)")


class Fields(Extension):
    """For Griffe, which reads the docstrings; see `with_lists`."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = with_lists(obj.docstring.value)


def with_lists(docstring: str) -> str:
    """Paragraphs of lines `name:  what it is`, further lines of each indented, as definition lists."""
    return "\n\n".join(_as_list(paragraph) for paragraph in docstring.split("\n\n"))


def _as_list(paragraph: str) -> str:
    lines = []
    for line in paragraph.split("\n"):
        if field := _FIELD.fullmatch(line):
            names = ", ".join(f"`{name}`" for name in field["names"].split(", "))
            lines += ["", names, f":   {field['text']}"]
        elif lines and line.startswith("  "):
            lines.append(f"    {line.strip()}")
        else:
            return paragraph
    return "\n".join(lines)

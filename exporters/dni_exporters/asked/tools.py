"""Which program needs what, so that nobody else needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from dni_runtime import ExportError

Settings: TypeAlias = Mapping[str, Any]
"""Arguments of `export`, by name."""


@dataclass(frozen=True, slots=True)
class Tool:
    """What a program asks for.

    baked:     of files with an alpha of their own.
    any_alpha: of a file that takes alpha at run time; None where the program has no way to say it.
    blends:    whether the program blends two baked files by itself, initializer by initializer.
    moves:     whether alpha at run time is what the program is there for, and meant where no alpha is said.
    """

    baked: Settings
    any_alpha: Settings | None
    blends: bool = False
    moves: bool = False

    def __str__(self) -> str:
        """Its options, such as `--single-input baked (with --alpha-input: --single-input plane)`."""
        if self.moves:
            return "--alpha-input, unless --alpha X is given"
        if self.any_alpha is None:
            return _options(self.baked)
        weights = ", stored for its Interpolate Models" if self.blends else ""
        return f"{_options(self.baked)}{weights} (with --alpha-input: {_options(self.any_alpha)})"


UPSCAYL, REALESRGAN = "upscayl", "realesrgan-ncnn-vulkan"
_ALPHA_AT_RUN_TIME = Tool({}, {}, moves=True)
_NCNN_FILES = Tool({"format": "ncnn"}, None)

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        # ONNX Runtime 1.17.1 of its version of 2026 reads IR version 9 at most, those that it had installed before
        # 8 (chaiNNer-org/chaiNNer, backend/src/packages/chaiNNer_onnx/__init__.py).
        "chainner": Tool(
            {"single_input": "baked", "ir_version": 8}, {"single_input": "plane", "ir_version": 8}, blends=True
        ),
        "comfyui": _ALPHA_AT_RUN_TIME,
        "vapoursynth": _ALPHA_AT_RUN_TIME,
        "vs-mlrt": Tool({"single_input": "baked"}, {"single_input": "plane"}),
        UPSCAYL: _NCNN_FILES,
        REALESRGAN: _NCNN_FILES,
        "android": _NCNN_FILES,
    }
)
"""By the name that `--for` knows it by."""


def settings_for(name: str, asked: Mapping[str, Any], *, baked: bool) -> dict[str, Any]:
    """What the tool `name` makes of the arguments that were `asked` for: those that it adds.

    Raises ExportError for a tool that is not known, one that has no use for what is made, and an argument that it
    contradicts.
    """
    if (tool := TOOLS.get(name)) is None:
        raise ExportError(f"--for {name!r:.100}: there is no such tool; expected one of {', '.join(TOOLS)}")
    settings = tool.baked if baked else tool.any_alpha
    if settings is None:
        raise ExportError(
            f"--for {name} needs --alpha X, or several: it reads files whose weights are fixed, a strength each "
            "(docs/how-to/ncnn.md tells how a program of your own blends two of them)"
        )
    for argument, value in {"format": "onnx", **settings}.items():
        if (given := asked[argument]) not in (None, value):
            wanted, said = _options({argument: value}), _options({argument: given})
            raise ExportError(f"--for {name} means {wanted}, and {said} was given; leave one of the two out")
    return {**settings, "alpha_input": True} if tool.moves and not baked else dict(settings)


def listed() -> str:
    """What each tool sets, in a sentence for all that set the same."""
    alike: dict[str, list[str]] = {}
    for name, tool in TOOLS.items():
        alike.setdefault(str(tool), []).append(name)
    return " ".join(f"{', '.join(names)}: {text}." for text, names in alike.items())


def _options(settings: Settings) -> str:
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in settings.items())

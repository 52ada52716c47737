"""How results become files: what is asked for on the command line once, and holds for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from dni_runtime import InputError

FORMATS = ("png", "jpg", "webp", "tiff", "avif")
"""What `dni run --format` takes, which are suffixes too."""


@dataclass(frozen=True, slots=True)
class Writing:
    """How image files are written.

    format:   one of FORMATS; None for what the name of a file says.
    quality:  of JPEG, WebP and AVIF, 1 to 100; None for 95.
    lossless: WebP, AVIF and the like without loss.
    strip:    whether what stands beside the pixels (profile, EXIF, XMP, text, dpi) is left out.

    Raises InputError for values other than these.
    """

    format: str | None = None
    quality: int | None = None
    lossless: bool = False
    strip: bool = False

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise InputError(f"the format is {self.format!r}; expected one of {', '.join(FORMATS)}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise InputError(f"the quality is {self.quality}; expected 1 to 100")
        if self.quality is not None and self.lossless:
            raise InputError("a quality is for what loses something; give either --quality or --lossless")

"""What the files of a site may be called, so that every host keeps them and every browser finds and shows them."""

from pathlib import Path, PureWindowsPath

from PIL import Image, UnidentifiedImageError

from dni_deploy.image_files.read_write import read_image
from dni_runtime import InputError
from dni_runtime.files.printable import printable

# What Windows refuses in names, and what means something in addresses.
_FORBIDDEN = frozenset('<>:"/\\|?*#%')
_LIMIT_BYTES = 250
# What we read and browsers show, as Pillow calls it.
_EXAMPLES = {".bmp": "BMP", ".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


def check_name(path: Path, name: str) -> str:
    """`name`, for a file of the site that is made of `path`. Raises InputError where a host may refuse it."""
    if (
        printable(name) != name
        or _FORBIDDEN.intersection(name)
        or name != name.strip(". ")
        or PureWindowsPath(name).is_reserved()
        or not 0 < len(name.encode()) <= _LIMIT_BYTES
    ):
        raise InputError(
            f"{path} has a name that not every host and browser takes; expected at most {_LIMIT_BYTES} bytes, no "
            f"control character, none of {''.join(sorted(_FORBIDDEN))}, no dot or space at its ends: rename it"
        )
    return name


def check_example(path: Path) -> str:
    """The name of an image that browsers show. Raises InputError for others, and for suffixes that say something else.

    A host tells browsers what a file is by its suffix: an image that is also a page must not be called one.
    """
    read_image(path)
    kind = _EXAMPLES.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path} is not called as browsers show images; expected {', '.join(_EXAMPLES)}")
    try:
        Image.open(path, formats=[kind]).close()
    except UnidentifiedImageError:
        raise InputError(f"{path} is no {kind}, as its suffix says; rename or convert it") from None
    return check_name(path, path.name)

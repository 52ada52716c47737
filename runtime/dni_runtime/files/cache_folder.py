"""Where what was found out about a model and this machine is kept between processes.

What lies there decides what comes out: the weights of prepared models, programs for a GPU, scripts of a page. So it is
used only if nobody but this user, and root, can write there.
"""

import os
import stat
from pathlib import Path

import platformdirs

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def cache_folder() -> Path | None:
    """The folder that DNI_CACHE_DIR names, None if that is empty; without it, the platform's place for caches.

    It exists, is made for this user alone if it did not, and None if it is not to be used (see `why_no_cache`).
    """
    folder = _chosen()
    return None if folder is None or _why_not(folder) else folder


def why_no_cache() -> str | None:
    """Why `cache_folder` is None, as a sentence without a stop; None where it is not, or was not wanted."""
    folder = _chosen()
    reason = None if folder is None else _why_not(folder)
    return None if reason is None else f"nothing is kept between processes: the cache folder {folder} {reason}"


def why_not_ours(path: Path) -> str | None:
    """Why what lies at `path` may be another user's work, as the end of a sentence; None where it is not.

    Raises OSError where nothing is there.
    """
    if not hasattr(os, "getuid"):  # Windows, where the place for caches is each user's own
        return None
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return "is a link"
    if found.st_uid not in (0, os.geteuid()):
        return f"belongs to another user ({found.st_uid})"
    return "can be written by others" if found.st_mode & _OTHERS_MAY_WRITE else None


def _chosen() -> Path | None:
    chosen = os.environ.get("DNI_CACHE_DIR")
    if chosen is None:
        return platformdirs.user_cache_path("dni-deploy")
    return Path(chosen) if chosen else None


def _why_not(folder: Path) -> str | None:
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = why_not_ours(folder.resolve())
    except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself
        return f"cannot be made ({getattr(error, 'strerror', None) or error})"
    remedy = "make it your own and take writing from others (chmod go-w), or name one in DNI_CACHE_DIR"
    return None if reason is None else f"{reason}; {remedy}"

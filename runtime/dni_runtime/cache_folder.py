"""Where what was found out about a model and this machine is kept between processes."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path | None:
    """The folder that DNI_CACHE_DIR names, None if that is empty; without it, the platform's place for caches."""
    chosen = os.environ.get("DNI_CACHE_DIR")
    if chosen is None:
        return platformdirs.user_cache_path("dni-deploy")
    return Path(chosen) if chosen else None

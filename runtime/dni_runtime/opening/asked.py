"""What `load` is asked for, in one object."""

from collections.abc import Mapping
from dataclasses import dataclass

from dni_runtime.errors import InputError
from dni_runtime.providers.cpu_options import check_threads

ALPHA_POLICIES = ("auto", "dynamic", "pinned")
"""How alpha is applied, see `load`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The arguments of `load` but for the file, as they are there. Raises InputError for those that make no sense."""

    provider: str
    threads: int | None
    provider_options: Mapping[str, str]
    alpha_policy: str
    pin_cache_mib: int

    def __post_init__(self) -> None:
        if self.alpha_policy not in ALPHA_POLICIES:
            raise InputError(f"alpha_policy is {self.alpha_policy!r}; expected one of {', '.join(ALPHA_POLICIES)}")
        if self.pin_cache_mib < 0:
            raise InputError(f"pin_cache_mib is {self.pin_cache_mib}; expected 0 or more")
        check_threads(self.threads)

    @property
    def pin_cache_bytes(self) -> int:
        return self.pin_cache_mib * 2**20

    @property
    def may_be_known(self) -> bool:
        """Whether a model that was prepared before can be opened so, see `open_known`."""
        return self.provider in ("auto", "cpu") and not self.provider_options and self.alpha_policy != "pinned"

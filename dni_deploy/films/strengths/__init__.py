"""How strong the effect is when: one alpha for the whole film, keys from a table, or what the film's noise asks for."""

from .keys import check_keys_place, read_keys, save_keys
from .measured import check_measurable, measured
from .strength import Curve, Held

__all__ = ["Curve", "Held", "check_keys_place", "check_measurable", "measured", "read_keys", "save_keys"]

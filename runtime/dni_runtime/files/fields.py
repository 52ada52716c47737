"""A JSON object from a stranger, taken field by field: what is not allowed is an error that names the field."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, NoReturn

_SHOWN_LENGTH = 40
# Python reads no integer of more digits (sys.set_int_max_str_digits); as a float it is infinite.
_DIGITS = 1000
# Whoever divides by the length of a range gets a number that float32 can hold.
_APART = 1e-6


class FieldError(ValueError):
    """Says which field is wrong, what it is, and what was expected, without a remedy."""


class Fields:
    """The fields of an object. All methods raise FieldError; a field that nobody asks for may be anything."""

    def __init__(self, values: dict[str, Any], place: str = "") -> None:
        self._values, self._place = values, place

    @classmethod
    def parse(cls, text: str, limit: int) -> "Fields":
        """The object that is written in `text`, JSON of at most `limit` characters."""
        if len(text) > limit:
            raise FieldError(f"it has {len(text):,} characters; expected at most {limit:,}")
        try:
            value = json.loads(text, parse_int=_integer, object_pairs_hook=_without_duplicates)
        except FieldError:
            raise
        except ValueError as error:
            raise FieldError(f"it is no JSON: {error}") from None
        except RecursionError:
            raise FieldError("its lists and objects lie in each other too deep") from None
        if not isinstance(value, dict):
            raise FieldError(f"it is {show(value)}; expected an object")
        return cls(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def inner(self, name: str) -> "Fields":
        value = self._get(name, "an object")
        return Fields(value, f"{self._place}{name}.") if isinstance(value, dict) else self.refuse(name, "an object")

    def list_of_inner(self, name: str, limit: int) -> "list[Fields]":
        """The objects of a list that has at most `limit`."""
        expected = f"a list of objects, {limit} at most"
        values = self._get(name, expected)
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            self.refuse(name, expected)
        if len(values) > limit:
            raise FieldError(f"{self._place}{name} is a list of {len(values):,}; expected {expected}")
        return [Fields(value, f"{self._place}{name}[{index}].") for index, value in enumerate(values)]

    def number(self, name: str, low: float, high: float) -> float:
        expected = f"a number in {low:g}..{high:g}"
        value = self._get(name, expected)
        return float(value) if _is_number(value) and low <= value <= high else self.refuse(name, expected)

    def whole(self, name: str, low: int, high: int) -> int:
        expected = f"a whole number in {low}..{high}"
        value = self._get(name, expected)
        return int(value) if type(value) is int and low <= value <= high else self.refuse(name, expected)

    def span(self, name: str, limit: float) -> tuple[float, float]:
        """Two numbers that are some distance apart, the smaller one first."""
        expected = f"two numbers in {-limit:g}..{limit:g}, the second larger by {_APART:g} or more"
        values = self._get(name, expected)
        if isinstance(values, list) and len(values) == 2 and all(map(_is_number, values)):
            low, high = values
            if is_span(low, high, limit):
                return float(low), float(high)
        self.refuse(name, expected)

    def numbers(self, name: str) -> tuple[int | float, ...] | None:
        """One number or a list of them, finite or not; None for null."""
        expected = "a number, a list of numbers, or null"
        value = self._get(name, expected)
        values = value if isinstance(value, list) else [value]
        if value is not None and not all(map(_is_number, values)):
            self.refuse(name, expected)
        return None if value is None else tuple(values)

    def list_of_numbers(self, name: str, limit: int) -> tuple[int | float, ...]:
        """A list of at most `limit` numbers, finite or not."""
        expected = f"a list of numbers, {limit} at most"
        values = self._get(name, expected)
        if not isinstance(values, list) or len(values) > limit or not all(map(_is_number, values)):
            self.refuse(name, expected)
        return tuple(values)

    def list_of_texts(self, name: str, limit: int) -> tuple[str, ...]:
        """A list of at most `limit` texts, each as `text` gives it."""
        expected = f"a list of texts, {limit} at most"
        values = self._get(name, expected)
        if not isinstance(values, list) or len(values) > limit or not all(isinstance(value, str) for value in values):
            self.refuse(name, expected)
        return tuple(value.encode("utf-8", "backslashreplace").decode("utf-8") for value in values)

    def flag(self, name: str) -> bool:
        value = self._get(name, "true or false")
        return value if isinstance(value, bool) else self.refuse(name, "true or false")

    def text(self, name: str, limit: int | None = None) -> str:
        """A string that any encoding takes: of a file name that is no UTF-8, Python makes halves of a character."""
        expected = "a text" if limit is None else f"a text of at most {limit} characters"
        value = self._get(name, expected)
        if not isinstance(value, str) or (limit is not None and len(value) > limit):
            self.refuse(name, expected)
        return value.encode("utf-8", "backslashreplace").decode("utf-8")

    def one_of(self, name: str, allowed: Iterable[str]) -> str:
        expected = f"one of {', '.join(map(show, allowed))}"
        value = self._get(name, expected)
        return value if isinstance(value, str) and value in allowed else self.refuse(name, expected)

    def is_null(self, name: str) -> bool:
        return self._values.get(name, 0) is None

    def refuse(self, name: str, expected: str) -> NoReturn:
        raise FieldError(f"{self._place}{name} is {show(self._values[name])}; expected {expected}")

    def _get(self, name: str, expected: str) -> Any:
        if name not in self._values:
            raise FieldError(f"{self._place}{name} is missing; expected {expected}")
        return self._values[name]


def is_span(low: float, high: float, limit: float) -> bool:
    """Whether these are two ends as `Fields.span` takes them."""
    return -limit <= low <= limit and -limit <= high <= limit and high - low >= _APART


def show(value: object) -> str:
    """A value of JSON as it is written there, shortened."""
    if isinstance(value, list):
        inner = ["[...]" if isinstance(v, list) else "{...}" if isinstance(v, dict) else show(v) for v in value[:4]]
        return f"[{', '.join(inner)}{', ...' if len(value) > 4 else ''}]"
    if isinstance(value, dict):
        return "an object"
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def _is_number(value: object) -> bool:
    return type(value) in (int, float)  # a bool is an int to Python


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two fields of one name they take."""
    values = dict(pairs)
    if len(values) != len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise FieldError(f"it has the field {show(twice)} twice; expected once")
    return values

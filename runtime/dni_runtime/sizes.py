"""Which images a network takes: the contract's part about height and width."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the height and the width of an input have to be, in pixels.

    multiple: both are multiples of it.
    minimum:  neither is smaller.
    square:   they are the same. (Uformer, arXiv 2106.03106, takes the square root of the number of pixels for a side.)
    """

    multiple: int = 1
    minimum: int = 1
    square: bool = False

    def side(self, least: int = 1) -> int:
        """The smallest side of a square image, of so many pixels or more."""
        return round_up(max(least, self.minimum), self.multiple)

    def fit(self, height: int, width: int) -> tuple[int, int]:
        """The smallest size that the network takes and that holds an image of `height` x `width`."""
        tall, wide = self.side(height), self.side(width)
        return (max(tall, wide),) * 2 if self.square else (tall, wide)

    def wide(self, least: int = 1) -> tuple[int, int]:
        """The smallest size of so many pixels or more along each side, wider than tall where the network allows."""
        side = self.side(least)
        return side, side if self.square else side + self.multiple

    def __str__(self) -> str:
        """Without what goes without saying: `multiples of 128, height and width alike`."""
        parts = [f"multiples of {self.multiple}"] * (self.multiple > 1)
        parts += [f"at least {self.minimum}"] * (self.minimum > self.multiple)
        parts += ["height and width alike"] * self.square
        return ", ".join(parts) or "any"


def round_up(size: int, unit: int) -> int:
    """The smallest multiple of `unit` that is not below `size`."""
    return -(-size // unit) * unit

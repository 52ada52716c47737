"""What is going to happen to an image of some size, for whoever has to know before."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """What `Model.enhance` does with an image of some size; made by `Model.plan`.

    height, width:           of the result.
    tile_height, tile_width: of what the network gets at a time, padding included.
    rows, columns:           in which pixel of the image each row and each column of tiles begins, ascending; below 0
                             where a seamless tile is seen from its other end. A single one each where it is not cut.
    overlap:                 how many input pixels on each inner side of a tile are computed and thrown away, at least:
                             down and across, 0 along an axis that is not cut.
    steps:                   the total that `progress` is told: a step is a tile, which runs once, or of a network that
                             looks at averages over the whole image once more for each pass that measures them, at most.
    note:                    what to know of the result, in words: of a network that looks at the whole image, if it is
                             cut; None where there is nothing.
    buffer_bytes:            memory of tiles and seams, at most, beside the image, the result, the model and what the
                             network needs to compute one tile.
    """

    height: int
    width: int
    tile_height: int
    tile_width: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    overlap: tuple[int, int]
    steps: int
    note: str | None
    buffer_bytes: int

    @property
    def tiles(self) -> int:
        """How many tiles there are; 1 where the image is not cut."""
        return len(self.rows) * len(self.columns)

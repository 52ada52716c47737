"""All rows: spandrel's architectures in two configurations, their variants, and the networks of the paper's field."""

from papers import ROWS as PAPERS
from row import Row
from spandrel_convolutions import ROWS as CONVOLUTIONS
from spandrel_transformers import ROWS as TRANSFORMERS

ROWS: dict[str, Row] = {row.name: row for row in (*CONVOLUTIONS, *TRANSFORMERS, *PAPERS)}

"""Networks that spandrel knows: which of them a file holds, and how it is run."""

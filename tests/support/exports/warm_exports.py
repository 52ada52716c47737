"""What the process that test_interruption forks imports: after a first export the forks start at once."""

from interrupted_exports import warm_up

warm_up()

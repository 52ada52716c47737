"""`python -m dni_deploy.cli`: the same as `dni`."""

from . import main

main()

"""Help and refusals are there at once."""

import resource

import pytest
from commands import Result, command

from dni_deploy.demo import WEAK

HELP_LIMIT_S = 0.7
# PyTorch alone takes about two to import.
REFUSAL_LIMIT_S = 1.0

pytestmark = pytest.mark.alone


def timed(name: str, *arguments: object) -> tuple[float, Result]:
    """The least processor time of three runs, in seconds: a busy machine adds to the time that passes."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = command(name, *arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times), result


@pytest.mark.parametrize("name", ["dni", "dni-export"])
def test_help_is_instant_and_on_stdout(name: str):
    seconds, result = timed(name, "--help")
    assert seconds < HELP_LIMIT_S
    assert result.assert_ok().out.startswith(f"Usage: {name} [OPTIONS]")
    assert result.err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dni-export", WEAK, "none.pth", "--alpha-input", "-o", "m.onnx"], "none.pth does not exist"),
        (["dni", "blend", WEAK, "--alpha", "0.5", "-o", "c.pth"], "1 endpoint given"),
    ],
)
def test_what_needs_no_pytorch_is_refused_in_less_than_a_second(arguments: list[object], message: str):
    seconds, result = timed(*arguments)
    result.assert_error(message)
    assert seconds < REFUSAL_LIMIT_S

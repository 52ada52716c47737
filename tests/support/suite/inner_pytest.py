"""pytest as the tests of its configuration call it."""

import os
import subprocess
import sys
import textwrap

from left_out import FOLDER


def inner(*arguments: str, program: str = "plugin = None", **environment: str) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own, with the `plugin` that `program` defines."""
    text = f"{textwrap.dedent(program)}\nimport sys, pytest\nsys.exit(pytest.main(sys.argv[1:], [plugin]))"
    return subprocess.run(
        [sys.executable, "-c", text, "-p", "no:cacheprovider", *arguments],
        cwd=FOLDER.parent,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )

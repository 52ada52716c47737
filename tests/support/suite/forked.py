"""New interpreters that are there at once, forked by fork_server.py.

For tests of what a program imports, says and writes; not for those of how a process starts, ends or is killed.
"""

import atexit
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import fork_server
from commands import Result, python


def forked(program: str, *arguments: object, cwd: Path | None = None) -> Result:
    """What `commands.python` gives."""
    if sys.platform == "win32":
        return python(program, *arguments, cwd=cwd)
    request = {"program": program, "arguments": [*map(str, arguments)], "cwd": str(cwd or Path.cwd())}
    text = json.dumps(request | {"environment": dict(os.environ)}).encode()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        server = _server()
        socket.send_fds(server, [len(text).to_bytes(4)], [out.fileno(), err.fileno()])
        server.sendall(text)
        answer = server.recv(4)
        assert answer, "the interpreter that forks has ended"
        out.seek(0)
        err.seek(0)
        return Result(int.from_bytes(answer, signed=True), out.read(), err.read())


@functools.cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        number = theirs.fileno()
        command = [sys.executable, fork_server.__file__, str(number)]
        path = os.pathsep.join(path for path in sys.path if path)
        process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, pass_fds=[number])

    @atexit.register
    def end() -> None:
        ours.close()
        process.wait()

    return ours

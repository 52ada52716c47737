"""The interpreter that forked.py forks: it has loaded what takes a command longest to import, and nothing of ours.

A request on its socket is the length of a JSON object, with the files for stdout and stderr, then that object; the
answer is the exit code. It ends when nobody is left who could ask.
"""

import importlib
import json
import os
import socket
import sys
import traceback
from typing import NoReturn

LOADED = ("numpy", "onnx", "onnxruntime", "click", "PIL.Image", "PIL.PngImagePlugin", "platformdirs", "rich.console")


def serve(where: socket.socket) -> None:
    while True:
        length, files, _, _ = socket.recv_fds(where, 4, 2)
        if not length:
            return
        request = bytearray()
        while len(request) < int.from_bytes(length):
            request += where.recv(1 << 20)
        if not (child := os.fork()):
            where.close()
            run(files, **json.loads(request))
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        where.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, signed=True))


def run(files: list[int], program: str, arguments: list[str], cwd: str, environment: dict[str, str]) -> NoReturn:
    """As `python -c` would."""
    code = 1
    try:
        for number, file in enumerate(files, 1):
            os.dup2(file, number)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["-c", *arguments]
        code = exit_code_of(program)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def exit_code_of(program: str) -> int:
    try:
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.path[0] = ""
    for name in LOADED:
        importlib.import_module(name)
    serve(socket.socket(fileno=int(sys.argv[1])))

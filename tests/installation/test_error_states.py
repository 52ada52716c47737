"""What NumPy does about a division by zero is each thread's own to choose; our own choice ends where our work does."""

import ast
import threading
from pathlib import Path

import numpy as np
from exporting import nasty_model, photo

import dni_deploy
import dni_exporters
import dni_runtime
from dni_runtime import load

IMAGE = photo(1, 3, 8, 8)


def test_threads_that_share_a_model_keep_their_own(tmp_path_factory):
    lost: list[dict[str, str]] = []

    def call(divide: str) -> None:
        with np.errstate(divide=divide):
            chosen = np.geterr()
            for step in range(300):
                model(IMAGE, step % 101 / 100)
                if np.geterr() != chosen:
                    lost.append(np.geterr())

    with load(nasty_model(tmp_path_factory.getbasetemp(), "batch_norm"), "cpu", threads=1) as model:
        threads = [threading.Thread(target=call, args=(divide,)) for divide in ("raise", "warn", "raise", "ignore")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert not lost


def test_no_function_shares_one_with_all_who_call_it():
    """As a decorator it is one object, in which NumPy 1 keeps what each caller had chosen."""
    for package in (dni_runtime, dni_deploy, dni_exporters):
        for file in Path(str(package.__file__)).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                decorators = getattr(node, "decorator_list", [])
                assert not [d for d in decorators if "errstate" in ast.unparse(d)], f"{file}:{node.lineno}"

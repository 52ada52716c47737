"""Calls that run beside others get a session of their own kind, and the same answers."""

import threading
from typing import Any

import pytest
from alpha_policies import PATIENCE_S, in_thread
from exporting import assert_close, nasty_model, run
from laid_out_models import IMAGE

from dni_runtime import load
from dni_runtime.prepared import body as body_module
from dni_runtime.prepared.body import Body

CALLERS = 6


@pytest.fixture
def body(tmp_path_factory: pytest.TempPathFactory) -> Body:
    with load(nasty_model(tmp_path_factory.getbasetemp(), "prelu"), "cpu", threads=2) as model:
        return Body(model._runner._body._graph, 2)


def threads_of(session: Any) -> int:
    return session.get_session_options().intra_op_num_threads


def test_as_many_calls_as_threads_run_on_one_thread_each(body: Body):
    with body.session() as alone:
        assert threads_of(alone) == 2
        with body.session() as second, body.session() as third:
            assert threads_of(second) == threads_of(third) == 1 and second is third
        with body.session() as again:
            assert again is second
    with body.session() as later:
        assert later is alone


def test_fewer_calls_than_threads_share_them(body: Body, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(body_module, "_cores", lambda: 16)
    for threads, callers in ((4, 3), (None, 15), (64, 15)):
        several = Body(body._graph, threads)
        turns = [several.session() for _ in range(callers + 1)]
        found = [turn.__enter__() for turn in turns]
        assert [session is several._shared for session in found] == [True] * callers + [False]
        for turn in turns:
            turn.__exit__(None, None, None)


def test_one_thread_is_one_session(body: Body):
    single = Body(body._graph, 1)
    with single.session() as one, single.session() as other:
        assert one is other


def test_a_call_that_fails_counts_no_more(body: Body):
    for _ in range(3):
        with pytest.raises(ValueError, match="of the call"), body.session():
            raise ValueError("of the call")
    with body.session() as session:
        assert threads_of(session) == 2


def test_who_does_not_make_the_session_does_not_wait_for_it(body: Body, monkeypatch: pytest.MonkeyPatch):
    begun, go_on = threading.Event(), threading.Event()

    def slow(graph: bytes, threads: int) -> str:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        return "made"

    monkeypatch.setattr(body_module, "open_as_it_is", slow)

    def take() -> Any:
        with body.session() as session:
            return session

    with body.session() as alone:
        making = in_thread(take)
        assert begun.wait(PATIENCE_S)
        assert take() is alone
        go_on.set()
        assert making.get(timeout=PATIENCE_S) == "made"
        assert take() == "made"


def test_many_callers_get_the_answers_of_their_own_alpha(tmp_path_factory: pytest.TempPathFactory):
    path = nasty_model(tmp_path_factory.getbasetemp(), "batch_norm")
    alphas = [number / CALLERS for number in range(CALLERS)]
    wanted = {alpha: run(path, IMAGE, alpha) for alpha in alphas}
    together = threading.Barrier(CALLERS)
    with load(path, "cpu", threads=2) as model:

        def ask(alpha: float) -> list[Any]:
            together.wait(PATIENCE_S)
            return [model(IMAGE, alpha) for _ in range(5)]

        answers = [in_thread(lambda alpha=alpha: ask(alpha)) for alpha in alphas]
        for alpha, answer in zip(alphas, answers, strict=True):
            for got in answer.get(timeout=PATIENCE_S):
                assert_close(got, wanted[alpha])

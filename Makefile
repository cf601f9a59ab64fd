# Two commands for a newcomer: `make demo` and `make test`. Both set up what they need first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
DISTRIBUTIONS := $(shell cat requirements/distributions.txt)
EDITABLE := $(foreach d,$(DISTRIBUTIONS),-e $(d))
BUILD_JOBS ?= $(shell nproc)

.PHONY: setup web assets proto lock lint test compose-test slow matrix shots demo up tiny-base clean

setup: $(VENV)/.ready

# torch first and by version alone: the same line finds a CPU or a CUDA build, whichever this machine is set up for.
$(VENV)/.ready: requirements/lock.txt requirements/distributions.txt $(wildcard */pyproject.toml services/*/pyproject.toml) \
    services/converter/setup.py $(wildcard services/converter/native/*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q 'setuptools>=77' $(TORCH)
	CMAKE_BUILD_PARALLEL_LEVEL=$(BUILD_JOBS) $(BIN)/pip install -q --require-hashes -r requirements/lock.txt
	$(BIN)/pip install -q --no-deps --no-build-isolation $(EDITABLE)
	$(BIN)/python -m lorag_converter.vendor
	touch $@

# The pages' libraries, by npm. Without them the pages still work and say what is missing.
web: setup
	$(BIN)/python gateway/web/fetch.py --tests

assets: setup
	-test -d gateway/lorag_gateway/pages/static/vendor || $(BIN)/python gateway/web/fetch.py --tests

proto: setup
	$(BIN)/python protos/generate.py

lock:
	$(BIN)/pip install -q uv
	$(BIN)/python requirements/compile.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd protos && ../$(BIN)/buf lint
	$(BIN)/python protos/generate.py --check
	$(BIN)/mypy services/common/lorag_common services/trainer/lorag_trainer services/converter/lorag_converter \
	  services/indexer/lorag_indexer services/qa/lorag_qa services/runtime/lorag_runtime gateway/lorag_gateway \
	  cli/lorag_cli demo/lorag_demo

test: setup assets
	$(BIN)/python -m pytest

# In a real Docker Engine: the one that is there, or the one that the command in LORAG_DOCKER_UP starts.
compose-test: setup
	LORAG_DOCKER_UP="$${LORAG_DOCKER_UP:-true}" $(BIN)/python -m pytest -s tests/compose

slow: setup
	$(BIN)/python -m pytest -m slow

matrix: setup
	$(BIN)/python -m pytest -m 'matrix or not matrix' tests/integration/test_converter_matrix.py

# Pictures of every page, to be looked at; nothing checks them.
shots: setup assets
	$(BIN)/python tests/browser/shots.py data/shots

demo: setup
	$(BIN)/lorag demo

up: setup assets
	$(BIN)/lorag up

tiny-base: setup
	$(BIN)/python -m lorag_demo.tiny_base --out demo/tiny_base

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache data/demo services/converter/vendor \
	  services/converter/build services/converter/lorag_converter/*.so

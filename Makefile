# make demo    train on the built-in world, replacing an earlier demo (ARGS="--budget 10" adds options)
# make test    every test that this machine can run
# make view    tests of pages and documents in the system's Chromium and LuaLaTeX
# make check   lint, format, types, import contracts
# make bench   side-by-side timings

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
INSTALLED := .venv/.installed
# One process, on the GPU where there is one; what accelerate would otherwise warn about is said here.
LAUNCH := $(BIN)/accelerate launch --quiet --num_processes 1 --num_machines 1 \
	--mixed_precision no --dynamo_backend no

.DEFAULT_GOAL := help
.PHONY: help .venv demo test view check format bench clean

help:
	@sed -n 's/^# make/make/p' Makefile

.venv: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	@touch $@

demo: $(INSTALLED)
	$(LAUNCH) train.py --overwrite $(ARGS)

test: $(INSTALLED)
	$(BIN)/python -m pytest -q -n auto $(ARGS)

view: $(INSTALLED)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test,browser]'
	$(BIN)/python -m pytest -q -rs -m 'browser or latex' $(ARGS)

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)
	set -e; for script in benchmarks/*.py; do $(BIN)/python "$$script"; done

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

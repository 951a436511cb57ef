# `make help` lists what there is. Everything runs from .venv; nothing is installed on the machine.
PYTHON ?= python3
BIN := .venv/bin
MEMBERS := libs/common services/auth services/listings services/orders services/compliance deploy/sandbox deploy/local
.DEFAULT_GOAL := help
.PHONY: help install lock

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed  ## make .venv with the pinned, hash-checked dependencies
.venv/.installed: requirements/bootstrap.txt requirements/dev.txt $(addsuffix /pyproject.toml,$(MEMBERS))
	@echo "installing into .venv (first time: about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit("Entrepot needs Python 3.11 or newer; call make PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ./,$(MEMBERS))
	@touch $@

lock: .venv/.installed  ## resolve the dependencies anew into requirements/
	$(BIN)/uv pip compile --quiet --no-annotate --group bootstrap pyproject.toml -o requirements/bootstrap.txt
	$(BIN)/uv pip compile --quiet --no-annotate --group dev pyproject.toml -o requirements/dev.txt

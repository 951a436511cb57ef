# `make help` lists what there is. Everything runs from .venv; on the machine itself only `make browser` installs anything.
PYTHON ?= python3
BIN := .venv/bin
MEMBERS := libs/common services/auth services/listings services/orders services/compliance deploy/sandbox deploy/local
SERVICES := auth listings orders compliance
.DEFAULT_GOAL := help
.PHONY: help install browser demo dev test test-kafka faults kafka check format migrations docs rows bench fuzz lock clean mutants

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed  ## make .venv with the pinned, hash-checked dependencies
.venv/.installed: requirements/bootstrap.txt requirements/dev.txt $(addsuffix /pyproject.toml,$(MEMBERS))
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit("Entrepot needs Python 3.11 or newer; call make PYTHON=/path/to/python3.11" if sys.version_info < (3, 11) else 0)'
	@echo "installing into .venv (first time: about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ./,$(MEMBERS))
	@touch $@

demo: .venv/.installed  ## the main job end to end; KEEP=1 leaves it running, JSON=path writes the counts
	@$(BIN)/python -m local_stack demo $(if $(KEEP),--keep) $(if $(JSON),--json $(JSON))

dev: .venv/.installed  ## everything on one machine, until Ctrl-C
	@$(BIN)/python -m local_stack up

browser:  ## Chromium for the browser tests, where it is missing and may be installed (Debian, root); they skip without
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		echo "installing Chromium (Debian's package)" && apt-get update -qq >/dev/null && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1; } || \
		echo "Chromium is not here and could not be installed: the browser tests will skip"

test: .venv/.installed browser  ## all tests, on real PostgreSQL, a real broker and the local Amazon
	@$(BIN)/pytest -q -n 4 --dist worksteal

test-kafka: .venv/.installed  ## the wire tests and the journeys on Apache Kafka (Java 17 and Maven)
	@ENTREPOT_KAFKA=apache $(BIN)/pytest -q -m "wire or journey"

faults: .venv/.installed  ## trade under kills, stops and Amazon's faults on two replicas: three seeds; SEED=7 SECONDS=120 plays one and tells it
	@$(if $(SEED),$(BIN)/python -m tests.faults --seed $(SEED) --seconds $(or $(SECONDS),120),$(BIN)/pytest -q -m chaos tests/faults)

kafka: .venv/.installed  ## Apache Kafka alone, in the foreground
	@$(BIN)/python -m local_stack kafka

check: .venv/.installed  ## format, lint, types, walls, dependencies, compose, Dockerfile, SQL, docs freshness
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(addsuffix /src,$(MEMBERS)) $(addsuffix /tests,$(MEMBERS)) tests bench conftest.py
	$(BIN)/lint-imports
	$(foreach member,$(MEMBERS),$(BIN)/python -m deptry $(member)/src --config $(member)/pyproject.toml &&) true
	$(BIN)/docker-compose -f docker-compose.yml config --quiet
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint Dockerfile
	$(BIN)/python scripts/lint_migrations.py
	$(BIN)/python scripts/generate_docs.py --check

format: .venv/.installed  ## let ruff format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

migrations: .venv/.installed  ## write each service's one first migration anew from its models (until the first release)
	$(BIN)/python scripts/first_migrations.py

docs: .venv/.installed  ## write the event catalogue, JSON Schemas, AsyncAPI and OpenAPI documents
	$(BIN)/python scripts/generate_docs.py

rows: .venv/.installed  ## each mission row, edge case, fault and fact with the tests that prove it
	@$(BIN)/python scripts/rows.py

bench: .venv/.installed  ## speed as ratios against a ceiling of the same run, into bench/results/
	@$(BIN)/python -m bench

fuzz: .venv/.installed  ## rubbish against the local Amazon and all services; SECONDS=600 SEED=1 MODELS=../shared/sp-api/models
	@$(BIN)/python -m amazon_sandbox.fuzzing $(or $(MODELS),../shared/sp-api/models) --seconds $(or $(SECONDS),600) --seed $(or $(SEED),1)
	@FUZZ_SECONDS=$(or $(SECONDS),600) FUZZ_SEED=$(or $(SEED),1) $(BIN)/pytest -q tests/test_schemathesis.py tests/test_hostile.py

mutants: .venv/.installed  ## planted bugs and mutated pure rules that a test must notice; ONLY=word (long)
	@$(BIN)/python scripts/mutants.py $(if $(ONLY),--only $(ONLY))

lock: .venv/.installed  ## resolve the dependencies anew into requirements/
	$(BIN)/uv pip compile --quiet --no-annotate --group bootstrap pyproject.toml -o requirements/bootstrap.txt
	$(BIN)/uv pip compile --quiet --no-annotate --group dev pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --no-annotate --group services pyproject.toml -o requirements/services.txt

clean:  ## remove what runs leave behind (not .venv)
	rm -rf .run .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

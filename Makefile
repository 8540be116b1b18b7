# Words typed at the prompt → the commands they stand for. `make` alone lists them.
#
# Every target first brings its environment up to date: .venv with the compiled package, or, with
# TIELINE_PURE=1, .venv-pure with the tree itself (editable, uncompiled: the one to develop in).

VENV = $(if $(filter-out 0,$(TIELINE_PURE)),.venv-pure,.venv)
PY = $(VENV)/bin/python
PREPARE = @scripts/prepare-venv $(VENV)
ARGS ?=
URL ?= $(or $(AUTOBAHN_URL),ws://127.0.0.1:9001)

# What runs is what is installed, also where the caller's shell points Python at src.
unexport PYTHONPATH PYTHONHOME

.PHONY: help demo test check lint types format cov bench compliance docs compiled clean
# Two targets at once would set up the same environment at once.
.NOTPARALLEL:

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

demo: ## the real client against an embedded server: messages, ping, close, reconnection
	$(PREPARE)
	@$(PY) -m tieline demo
	@echo 'now try: $(VENV)/bin/tieline serve --port 8080'

test: ## the whole suite (ARGS='-k close -x' goes to pytest; TIELINE_PURE=1: without C)
	$(PREPARE) test
	@$(PY) -bb -m pytest -n auto --dist worksteal $(ARGS)

check: lint types test ## all that has to pass before a commit

lint: ## ruff's rules and format, the arrows between the layers
	$(PREPARE) lint
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(VENV)/bin/lint-imports --no-cache --no-logo

types: ## mypy --strict over src
	$(PREPARE) lint
	@$(PY) -m mypy

format: ## ruff writes the format and the safe corrections
	$(PREPARE) lint
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

cov: export TIELINE_PURE = 1
cov: ## branch coverage of the suite (compiled code cannot be measured, so: pure)
	$(PREPARE) test
	@rm -f .coverage .coverage.*
	@$(PY) -bb -m coverage run -m pytest $(ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report

bench: ## tieline beside its limits and its peers (ARGS=--list: benchmarks and clients)
	$(PREPARE) test bench
	@$(PY) -m bench $(ARGS)

compliance: ## the client's part against an Autobahn fuzzing server at URL=ws://...
	$(PREPARE)
	@$(PY) -m compliance --url $(URL) $(ARGS)

docs: ## the documentation, strictly, into site/
	$(PREPARE) docs
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

compiled: export TIELINE_REQUIRE_COMPILED = 1
compiled: ## .venv with the C extensions, or the compiler's error
	$(PREPARE)
	@$(PY) -m tieline --version

clean: ## everything that was made here, environments included
	rm -rf .venv .venv-* build dist site htmlcov .coverage .coverage.* .hypothesis
	rm -rf bench/built .mypy_cache .pytest_cache .ruff_cache .import_linter_cache src/*.egg-info tests/peers/node_modules
	find src tests bench compliance -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
	find src -name '*.so' -delete

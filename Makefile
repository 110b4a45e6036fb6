SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup run demo status check test soak clean \
	rules unit domains rules-and-domains stack

PY := .venv/bin/python
FLAGS := $(if $(PORT),--port $(PORT)) $(if $(EDXML),--edxml "$(EDXML)") $(if $(SCENARIO),--scenario "$(SCENARIO)")

help: ## Say what there is
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16
	@echo '  PORT=8080, EDXML=file and SCENARIO=dossier go with run and demo'

setup: ## Install both virtualenvs (run, demo, check and test do it when needed)
	@infra/venv.sh .venv requirements.txt tests/requirements.txt
	@infra/venv.sh .venv-ministack infra/ministack-requirements.txt

run: setup ## The whole system on this machine, up until Ctrl-C; state is kept in .local
	@exec $(PY) -m infra.run $(FLAGS)

demo: setup ## The same once, from nothing, then stop; fails when a step fails
	@exec $(PY) -m infra.run --once $(FLAGS)

status: setup ## How the running stack is doing: who is behind, what waits, what is parked
	@$(PY) -m infra.status

check: setup ## Format, lint, types, layers and unit tests
	@$(MAKE) --no-print-directory rules unit domains

test: setup ## check, and everything that needs the local stack
	@$(MAKE) --no-print-directory unit
	@# The stack waits more than it works: what needs one processor runs beside it.
	@$(MAKE) --no-print-directory -j2 rules-and-domains stack

rules:
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports

unit:
	@$(PY) -m pytest -q -n auto --dist worksteal -m "not emulator and not journey"

domains: # Each line of each domain is asked for by a table, not met by chance in a state machine.
	@export COVERAGE_FILE="$$(mktemp)"; trap 'rm -f "$$COVERAGE_FILE"' EXIT; \
	$(PY) -m coverage run -m pytest -q tests/contexts/*/test_*.py -k "not Life" \
	  -m "not emulator and not journey" && $(PY) -m coverage report

rules-and-domains:
	@$(MAKE) --no-print-directory rules
	@$(MAKE) --no-print-directory domains

stack:
	@$(PY) -m pytest -q -m "emulator or journey"

soak: setup ## Ten minutes of hard work, then 5,000 steps of everybody doing as they like
	@$(PY) -m bench.soak
	@HYPOTHESIS_PROFILE=soak $(PY) -m pytest -q -s tests/survival/test_everybody.py

clean: ## Remove what was built and the local state; the virtualenvs stay
	@rm -rf build .local .chalice/deployments .pytest_cache .mypy_cache .ruff_cache .hypothesis

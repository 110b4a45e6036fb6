SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup run demo status check test soak permissions deploy clean \
	rules unit domains beside emulator journeys

PY := .venv/bin/python
# A domain's table has its file's name; of a copy, reception, failed delivery and resending have
# their own.
DOMAINS := $(wildcard chalicelib/contexts/*/domain/*.py)
TABLES := $(wildcard $(subst /domain/,/test_,$(DOMAINS:chalicelib/%=tests/%))) \
	$(addprefix tests/contexts/documents/test_,reception.py undelivered.py resending.py)
FLAGS := $(if $(PORT),--port $(PORT)) $(if $(EDXML),--edxml "$(EDXML)") $(if $(SCENARIO),--scenario "$(SCENARIO)")

help: ## Say what there is
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16
	@echo '  PORT=8080, EDXML=file and SCENARIO=dossier, payment or audit go with run and demo'

setup: ## Install the virtualenvs (run, demo, check and test do it when needed)
	@# Side by side: each waits for others' servers more than it works.
	@printf '%s\n' \
	  'infra/venv.sh .venv requirements.txt cli/requirements.txt tests/requirements.txt' \
	  'infra/venv.sh .venv-ministack infra/ministack-requirements.txt' \
	  'infra/venv.sh .venv-client infra/client-requirements.txt' \
	  infra/judges.sh | xargs -P 4 -I '{}' bash -c '{}'

run: setup ## The whole system on this machine, up until Ctrl-C; state is kept in .local
	@exec $(PY) -m infra.run $(FLAGS)

demo: setup ## The same once, from nothing, then stop; fails when a step fails
	@exec $(PY) -m infra.run --once $(FLAGS)

status: setup ## How the running stack is doing: who is behind, what waits, what is parked
	@$(PY) -m infra.status

check: setup ## Format, lint, types, layers and unit tests
	@$(MAKE) --no-print-directory rules unit domains

test: setup ## check, and everything that needs the local stack
	@# The stack waits more than it works, and takes longest: what only works runs beside it, and
	@# gives way to it.
	@$(MAKE) --no-print-directory -j3 --output-sync journeys emulator beside

rules:
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports

unit:
	@$(PY) -m pytest -q -n auto --dist worksteal -m "not emulator and not journey"

domains: # Each line of each domain is asked for by a table, not met by chance in a state machine.
	@export COVERAGE_FILE="$$(mktemp)"; trap 'rm -f "$$COVERAGE_FILE"' EXIT; \
	$(PY) -m coverage run -m pytest -q $(TABLES) -k "not Life" && $(PY) -m coverage report

beside:
	@nice -n 5 $(MAKE) --no-print-directory rules unit domains

emulator:
	@$(PY) -m pytest -q -m "emulator and not journey"

journeys:
	@$(PY) -m pytest -q -m journey

soak: setup ## Ten minutes of hard work, then everybody as they like, payers, then anything to every route
	@$(PY) -m bench.soak
	@HYPOTHESIS_PROFILE=soak $(PY) -m pytest -q -s tests/survival/test_everybody.py \
	  tests/contexts/payments/test_everybody_pays.py
	@$(PY) -m bench.contract

permissions: setup ## Take each right of each function away in turn: a journey must fail (SAMPLE=20 SEED=1: a sample)
	@$(PY) -m infra.permissions $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED))

deploy: setup ## Deploy STAGE=… to AWS: what would change is shown, then asked (YES=1: not). PARAMETERS="Issuer=https://…"
	@$(PY) -m infra.deploy "$(STAGE)" $(if $(YES),--yes) $(PARAMETERS)

clean: ## Remove what was built and the local state; the virtualenvs stay
	@rm -rf build .local .chalice/deployments .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Two commands: `make run` starts Greenroom, `make test` proves it. `make help` lists the rest.

# Debian's own interpreter first: a service account cannot run one inside somebody's home.
SYSTEM_PYTHON = $(firstword $(wildcard /usr/bin/python3.11) $(shell command -v python3) missing-python3)
PYTHON := .venv/bin/python
ENVIRONMENT = @$(SYSTEM_PYTHON) -m agentapp.management.stack.environment
STACK := $(PYTHON) -m agentapp.management.stack

.DEFAULT_GOAL := help
.PHONY: help run login setup test check fix bench faults lock environment environment-dev

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: environment ## start Greenroom and print a login link (PORT=8123 DATA=/folder)
	@exec $(STACK) run $(if $(PORT),--port "$(PORT)") $(if $(DATA),--data "$(DATA)")

login: environment ## print a fresh login link of a running Greenroom (DATA=/folder)
	@exec $(STACK) login $(if $(DATA),--data "$(DATA)")

setup: python ## make the environment with everything that tests and checks need
	@$(MAKE) --no-print-directory -j 3 environment-dev synapse chromium

test: setup ## run everything that CI runs
	@$(PYTHON) .ci/tests.py

check: environment-dev ## lint, types, import contracts, settings, migrations
	@$(PYTHON) .ci/checks.py

fix: environment-dev ## repair what the linter can repair, and format
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .

bench: environment-dev ## measure beside baselines; the last line is JSON (ONLY=pipeline)
	@$(PYTHON) .ci/neighbours.py litellm
	@$(PYTHON) -m benchmarks $(ONLY)

faults: environment-dev synapse ## kill, cut off and restart for hours; the last line is JSON (KILLS=500)
	@$(PYTHON) -m tests.faults $(if $(KILLS),--kills "$(KILLS)")

lock: environment-dev ## write the lock files anew from the .in files
	@$(PYTHON) .ci/lock.py

environment: python
	$(ENVIRONMENT)

environment-dev: python
	$(ENVIRONMENT) --dev

.PHONY: synapse chromium python
synapse: python
	@$(SYSTEM_PYTHON) .ci/neighbours.py synapse

chromium:
	@$(SYSTEM_PYTHON) .ci/chromium.py

python:
	@command -v $(SYSTEM_PYTHON) >/dev/null || { echo "Greenroom needs Python 3.11: apt-get install python3.11 python3-venv"; exit 1; }

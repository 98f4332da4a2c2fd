# `make` alone lists the targets. Nothing here needs more than make and Python 3.11 or newer.

# The first Python that is new enough and really runs (a version manager's stand-in may not).
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)
endif
VENV_PYTHON := .venv/bin/python
SERVICES := account_api auth_server banking_app chatbot gateway
CODE := delegation $(SERVICES) deploy benchmarks tests

.PHONY: help demo test e2e bench conformance twins differential check format lock reset python venv-services \
	venv-dev chromium bench-programs

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Compose is used directly: docker compose up --build"

demo: venv-services ## Run the five services here, without Docker (PORT_BASE=8601 moves all ports)
	@$(VENV_PYTHON) -m deploy.local

test: venv-dev ## Run every test that needs no running stack, the conformance suite in process among them
	$(VENV_PYTHON) -m pytest --ignore tests/stack --numprocesses auto --dist loadfile --no-loadscope-reorder

e2e: venv-dev chromium ## Run the end-to-end tests on a stack (STACK=compose, local, or own: no Docker)
	STACK=$(or $(STACK),running) $(VENV_PYTHON) -m pytest tests/stack

bench: venv-dev bench-programs ## Measure against Envoy and others (ROUNDS=3, ONLY=gateways, QUICK=1)
	@$(VENV_PYTHON) -m benchmarks $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

conformance: venv-dev ## Judge a deployment by the rules of safe delegation (TARGET=file.toml; else the running stack)
	@$(if $(TARGET),$(VENV_PYTHON) -m tests.e2e --target "$(TARGET)",STACK=$(or $(STACK),running) $(VENV_PYTHON) \
		-m tests.stack.conformance) --report $(or $(REPORT),test-results/conformance) $(if $(ONLY),--only "$(ONLY)")

twins: venv-dev ## Show that every check catches the flaw that it is for
	@$(VENV_PYTHON) -m tests.e2e.twins

differential: venv-dev ## Throw 10,000 generated requests at the gateway and at Envoy: the same decisions
	DIFFERENTIAL_REQUESTS=$(or $(REQUESTS),10000) $(VENV_PYTHON) -m pytest --capture fd \
		tests/gateway/test_envoy_differential.py

check: venv-dev ## Check style and types (ruff, mypy --strict)
	$(VENV_PYTHON) -m ruff check
	$(VENV_PYTHON) -m ruff format --check
	$(VENV_PYTHON) -m mypy $(CODE)

format: venv-dev ## Format the code, and mend what ruff can mend
	$(VENV_PYTHON) -m ruff check --fix-only --quiet
	$(VENV_PYTHON) -m ruff format

lock: venv-dev ## Compile requirements/*.in to *.txt (UPGRADE=1 takes newer versions)
	@set -e; for name in dev services envoy $(SERVICES); do \
		UV_CUSTOM_COMPILE_COMMAND="make lock" $(VENV_PYTHON) -m uv pip compile --quiet --universal \
			--python-version 3.11 --generate-hashes $(if $(UPGRADE),--upgrade) \
			$$([ $$name = dev ] || echo --constraint requirements/dev.txt) \
			--output-file requirements/$$name.txt requirements/$$name.in; \
	done

reset: python ## Remove all data: customers, grants, keys, ledger (local and Compose)
	@$(PYTHON) -m deploy.reset

python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed, and none was found. Install one, or name it:" \
		"make demo PYTHON=/path/to/python3" >&2; exit 1; }

venv-services: python
	@$(PYTHON) -m deploy.virtual_environment services

venv-dev: python
	@$(PYTHON) -m deploy.virtual_environment dev

# Where this is not root on Debian or Ubuntu, tests that need a browser are skipped and say so.
chromium:
	@command -v chromium >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium"; apt-get update -qq && apt-get install -y -qq chromium >/dev/null; fi

# Envoy comes from PyPI, oidc-provider from npm; where this is not root on Debian, the benchmarks say what is missing.
bench-programs:
	@{ command -v wrk && [ -x /usr/sbin/nginx ]; } >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing wrk and nginx"; apt-get update -qq && apt-get install -y -qq wrk nginx-light >/dev/null; fi

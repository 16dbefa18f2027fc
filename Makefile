# Needs Python 3.11 or newer with pip, and make. Everything else is installed into .venv.
PYTHON ?= python3
INTERPRETER ?= $(PYTHON)
VENV := .venv
PIP := $(PYTHON) -m pip --disable-pip-version-check --python $(VENV)/bin/python
SOURCES := $(shell find launcher -type f -not -name '*.pyc')

.PHONY: install test test-pythons lint packages try-packages release roots pins man demo bench pictures campaign clean

install: $(VENV)/.installed

# --without-pip: Debian's Python has venv but not ensurepip; the pip that is there can serve any interpreter.
$(VENV)/.dependencies: pyproject.toml
	$(INTERPRETER) -m venv --clear --without-pip $(VENV)
	$(PIP) install --quiet '.[dev]'
	@touch $@

# Installed for real, not as editable: the tests run what users run.
$(VENV)/.installed: $(VENV)/.dependencies $(SOURCES)
	$(PIP) install --quiet --no-deps --force-reinstall --no-build-isolation .
	@touch $@

test: install
	$(VENV)/bin/pytest $(ARGS)

# What a run and a delivery do, and the commands that change something.
CORE := tests/consent tests/home tests/reading tests/record tests/relay tests/delivery/test_outcomes.py \
  tests/cli/test_cli.py tests/test_hot_path.py tests/test_main_job.py tests/test_real.py

# The core of the suite on the oldest, the usual and the newest Python that it is for: those that this machine has, but for
# PYTHON, on which `make test` runs all of it.
test-pythons:
	this=$$($(PYTHON) -c 'import sys; print(sys.version_info[1])'); \
	for minor in 9 11 13 14; do \
	  python=$$(scripts/pythons $$minor); \
	  if [ $$minor = $$this ]; then echo "Python 3.$$minor: make test"; continue; fi; \
	  if [ -z "$$python" ]; then echo "Python 3.$$minor: not on this machine"; continue; fi; \
	  echo "Python 3.$$minor: $$python"; \
	  $(MAKE) INTERPRETER=$$python VENV=$(VENV)/3.$$minor test ARGS="$(CORE)" || exit 1; \
	done

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy --platform darwin launcher
# But for what relays on POSIX systems.
	$(VENV)/bin/mypy --platform win32 --exclude 'launcher/relay/(?!__init__|handover|watcher|windows)' launcher
	$(VENV)/bin/lint-imports --no-logo --no-cache

# Of the same commit, what is built twice is the same.
packages try-packages: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 1577836800)

# MAINTAINER='NAME <ADDRESS>': who is to be asked about them, where the profile does not say so.
packages: install
	rm -rf dist
	$(VENV)/bin/python -m hatchling build --directory dist
	$(PYTHON) scripts/packaging/build $(if $(MAINTAINER),--maintainer='$(MAINTAINER)')

# Packages of a version: only of the commit that CHANGELOG.md and a tag say it is.
release:
	$(PYTHON) scripts/packaging/release
	$(MAKE) packages

# The wheel and the sdist, by pip and by pipx, where nothing else is: they must bring all that they need.
try-packages: packages
	rm -rf build && mkdir build
	for file in dist/*.whl dist/chef_run_launcher-*.tar.gz; do \
	  $(PYTHON) -m venv --clear --without-pip build/clean && \
	  $(PYTHON) -m pip --disable-pip-version-check --python build/clean/bin/python install --quiet $$file && \
	  build/clean/bin/chef-run-launcher --version && build/clean/bin/chef-run-launcher status >/dev/null || exit 1; \
	done
	! command -v pipx >/dev/null || { \
	  export PIPX_HOME=$(CURDIR)/build/pipx PIPX_BIN_DIR=$(CURDIR)/build/bin && pipx install dist/*.whl && \
	  build/bin/chef-run-launcher --version && build/bin/chef-run-launcher status >/dev/null; }

# The .deb in new roots of Debian's releases, which takes some minutes and is not part of .ci/run.
roots: packages
	$(VENV)/bin/python scripts/packaging/roots dist/*.deb

# Which of the versions that the packages carry are behind.
pins:
	$(PYTHON) scripts/packaging/pins

man: install
	mkdir -p build
	$(VENV)/bin/python scripts/packaging/manpage >build/chef-run-launcher.1
	@echo man -l build/chef-run-launcher.1

demo: install
	$(VENV)/bin/python scripts/demo.py

bench: install
	$(VENV)/bin/python scripts/bench

# What the documents show of it, in scripts/pictures. BENCH=1: with figures measured anew, which takes a minute.
pictures: install
	$(if $(BENCH),$(VENV)/bin/python scripts/bench others --json scripts/pictures/cost.json)
	$(VENV)/bin/python scripts/make-pictures

# Attacks by chance, for 20 minutes: SECONDS=, SEED=, ONLY= and the name of one attack.
campaign: install
	$(VENV)/bin/python scripts/campaign $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) \
	  $(if $(ONLY),--only $(ONLY))

clean:
	rm -rf $(VENV) build dist

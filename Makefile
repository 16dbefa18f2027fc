# Needs Python 3.11 or newer with pip, and make. Everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
PIP := $(PYTHON) -m pip --disable-pip-version-check --python $(VENV)/bin/python
SOURCES := $(shell find launcher -type f -not -name '*.pyc')

.PHONY: install test lint demo clean

install: $(VENV)/.installed

# --without-pip: Debian's Python has venv but not ensurepip; the pip that is there can serve any interpreter.
$(VENV)/.dependencies: pyproject.toml
	$(PYTHON) -m venv --clear --without-pip $(VENV)
	$(PIP) install --quiet '.[dev]'
	@touch $@

# Installed for real, not as editable: the tests run what users run.
$(VENV)/.installed: $(VENV)/.dependencies $(SOURCES)
	$(PIP) install --quiet --no-deps --force-reinstall --no-build-isolation .
	@touch $@

test: install
	$(VENV)/bin/pytest $(ARGS)

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy --platform darwin
	$(VENV)/bin/mypy --platform win32

demo: install
	$(VENV)/bin/python scripts/demo.py

clean:
	rm -rf $(VENV) build dist

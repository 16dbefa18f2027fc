# Needs Python 3.11 or newer with pip, and make. Everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
PIP := $(PYTHON) -m pip --disable-pip-version-check --python $(VENV)/bin/python
SOURCES := $(shell find launcher -type f -not -name '*.pyc')

.PHONY: install test lint wheel demo clean

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
	$(VENV)/bin/mypy --platform darwin launcher
	$(VENV)/bin/mypy --platform win32 launcher

# The built wheel, in an environment where nothing else is: it must bring all that it needs.
wheel: install
	rm -rf build dist
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	$(PYTHON) -m venv --without-pip build/clean
	$(PYTHON) -m pip --disable-pip-version-check --python build/clean/bin/python install --quiet dist/*.whl
	build/clean/bin/chef-run-launcher --version
	build/clean/bin/chef-run-launcher status >/dev/null

demo: install
	$(VENV)/bin/python scripts/demo.py

clean:
	rm -rf $(VENV) build dist

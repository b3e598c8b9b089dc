# `make help` lists the targets; `make book PROFILE=gpu` runs another profile.
PROFILE ?= laptop
# The first of these that really runs and is Python 3.11 or 3.12; another one: make book PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: book test train html lab lint help
.DEFAULT_GOAL := help

book: .venv/.installed  ## Run every notebook with the released weights, build the book, print its page's path.
	$(BIN)/vct run --profile $(PROFILE)
	$(BIN)/vct book --profile $(PROFILE)

test: .venv/.installed  ## Run the tests.
	$(BIN)/python -m pytest -n 2 --dist loadscope

train: .venv/.installed  ## Train every network of the profile; a second call resumes.
	$(BIN)/vct train --profile $(PROFILE)

html: .venv/.installed  ## Build the book from the frozen results alone.
	$(BIN)/vct book --frozen

lab: .venv/.installed  ## Open the notebooks in JupyterLab, with volumes on screen.
	$(BIN)/python -c 'from vctlib.labextension import install_labextension; install_labextension()'
	$(BIN)/jupyter lab notebooks

lint: .venv/.installed  ## Check style, formatting, and that no notebook carries outputs.
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/nbstripout --keep-id --verify $(wildcard notebooks/*.ipynb)

help:  ## List the targets.
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 12

# An environment of another Python is cleared, never mixed with.
EXECUTABLE := -c 'import os, sys; print("executable =", os.path.realpath(sys._base_executable))'

# The stamp is written last, so an interrupted installation is taken up again. pip writes INSTALLER once all files of a
# package are in place: a package without it was cut short, and is forgotten here so that pip installs it anew.
.venv/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "vctlib needs Python 3.11 or 3.12 and found neither; install one, or name it: make book PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing into .venv (3.5 GB; more where torch comes with CUDA)"
	@for d in .venv/lib/python3*/site-packages/*.dist-info; do test ! -d "$$d" -o -f "$$d/INSTALLER" || rm -r "$$d"; done
	$(PYTHON) -m venv $$(grep -qsx "$$($(PYTHON) $(EXECUTABLE))" .venv/pyvenv.cfg || echo --clear) .venv
	$(BIN)/python -m pip install --requirement requirements.lock
	$(BIN)/python -m pip install --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check
	@touch $@

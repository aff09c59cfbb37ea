# Deep Limits: `make help` lists what there is to do.

PROFILE ?= quick
PYTHON  ?= python3

ifeq ($(filter quick full,$(PROFILE)),)
$(error unknown PROFILE=$(PROFILE); known profiles are quick and full)
endif

VENV  := .venv
PY    := $(VENV)/bin/python
EXEC  := _build/exec/$(PROFILE)
SITE  := _build/html/.built

# Sorted, so that the lists below change only when a file comes or goes.
SCIENCE   := $(sort $(shell find src/deeplimits -type f ! -path '*/__pycache__/*'))
PUBLISHER := $(sort $(shell find src/bookbuild -type f -name '*.py'))
BOOK      := $(sort $(shell find book -type f ! -path '*/.ipynb_checkpoints/*'))
NOTEBOOKS := $(filter %.ipynb,$(BOOK))
EXECUTED  := $(NOTEBOOKS:book/%=$(EXEC)/%)

# Settings and caches in the user's home neither change the book nor are changed by it.
export PYTHONPATH      := $(CURDIR)/src
# Compiled code knows its own file only, so each state of the package has a cache of its own.
export NUMBA_CACHE_DIR := $(CURDIR)/_build/numba/$(shell cat $(SCIENCE) | cksum | cut -d' ' -f1)
export MPLCONFIGDIR    := $(CURDIR)/$(VENV)/cache/matplotlib
export DEEPLIMITS_CACHE := $(CURDIR)/$(VENV)/cache/deeplimits
export IPYTHONDIR      := $(CURDIR)/$(VENV)/cache/ipython

# Two notebooks at a time, as a kernel that starts or compiles leaves cores idle; `make -j8 book` takes eight.
# But one goal after the other, where one would pull the floor from under the next.
ifneq ($(filter clean lab,$(MAKECMDGOALS)),)
.NOTPARALLEL:
else ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j2
endif

ifneq ($(shell command -v uv 2>/dev/null),)
pip_install = uv pip install --quiet --python $(1)/bin/python --compile-bytecode
else
pip_install = $(1)/bin/python -m pip install --quiet --disable-pip-version-check
endif

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: book test claim archive pdf lab bench clean help lock FORCE

book: $(SITE) ## execute every notebook and build the site into _build/html (PROFILE=full: paper size)
	@echo "The book ($(PROFILE) profile) is ready: open file://$(CURDIR)/_build/html/index.html"

test: $(VENV)/.test $(SITE) ## build the book, then run everything that protects the project
	$(PY) -m pytest

claim: $(VENV)/.book ## check one claim again: make claim ID=its-name (PROFILE=full: paper size)
	@$(PY) -m bookbuild.reverify '$(ID)' --profile $(PROFILE)

archive: $(SITE) ## pack the evidence: records of claims, numbers of figures, executed notebooks, checksums
	@$(PY) -m bookbuild.archive

pdf: $(SITE) ## print the book into one PDF (needs Chromium)
	@$(PY) -m bookbuild.pdf

lab: $(VENV)/.lab ## open the notebooks in JupyterLab
	$(PY) -m jupyter lab --notebook-dir=book

bench: $(VENV)-bench/.bench ## measure the package against its peers (QUICK=1: small sizes, nothing recorded)
	$(VENV)-bench/bin/python -m benchmarks $(if $(QUICK),--quick) $(if $(ONLY),--only '$(ONLY)') $(if $(RECORD),--record)

clean: ## remove everything that was built (the environments stay)
	rm -rf _build

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

# ---------------------------------------------------------------- the book

# Make sees what changed; these two see what was removed, and which profile the site shows.
_build/science.list: LIST = $(SCIENCE)
_build/book.list: LIST = $(PROFILE) $(BOOK)
_build/%.list: FORCE
	@mkdir -p $(@D)
	@echo '$(LIST)' | cmp -s - $@ || echo '$(LIST)' > $@

$(EXEC)/%.ipynb: book/%.ipynb $(SCIENCE) _build/science.list requirements.txt | $(VENV)/.book
	@$(PY) -m bookbuild.execute $< $@ --profile $(PROFILE)

# What the tests need is installed before a kernel runs, not beside it.
ifneq ($(filter test,$(MAKECMDGOALS)),)
$(EXECUTED): | $(VENV)/.test
endif

$(SITE): $(EXECUTED) $(BOOK) $(PUBLISHER) _build/book.list _config.yml _toc.yml CITATION.cff | $(VENV)/.book
	@$(PY) -m bookbuild.site --profile $(PROFILE)

# ---------------------------------------------------------------- the environments

define check_python
@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null || { \
	echo "Deep Limits needs Python 3.11, 3.12, 3.13 or 3.14, and $(PYTHON) is: $$($(PYTHON) --version 2>&1 || true)"; \
	echo "Name another one, for example: make PYTHON=python3.12"; exit 1; } >&2
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "$(PYTHON) lacks the venv module (Debian and Ubuntu: apt install python3-venv)."; exit 1; } >&2
endef

$(VENV)/.book: requirements.txt
	$(check_python)
	@echo "Setting up $(VENV) from requirements.txt: once, a minute or two"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(call pip_install,$(VENV)) --require-hashes -r requirements.txt
	@$(call pip_install,$(VENV)) --no-deps --no-build-isolation --no-index -e .
	@mkdir -p $(IPYTHONDIR) $(MPLCONFIGDIR)
	@$(PY) -c 'import matplotlib.font_manager'
	@touch $@

# An install that is interrupted leaves no .book behind, so that the next run starts afresh.
# Without the dependencies that pip would look up: the locks are complete but for PyTorch, see pyproject.toml.
$(VENV)/.test $(VENV)/.lab: $(VENV)/.%: requirements-%.txt | $(VENV)/.book
	@echo "Adding $< to $(VENV)"
	@mv $(VENV)/.book $(VENV)/.held
	@$(call pip_install,$(VENV)) --require-hashes --no-deps -r $<
	@mv $(VENV)/.held $(VENV)/.book
	@touch $@

$(VENV)-bench/.bench: requirements-bench.txt requirements-bench-tangents.txt
	$(check_python)
	@echo "Setting up $(VENV)-bench from requirements-bench*.txt, and PyTorch if it can be had"
	@$(PYTHON) -m venv --clear $(VENV)-bench
	@$(PYTHON) -m venv $(VENV)-bench/tangents
	@$(call pip_install,$(VENV)-bench) --require-hashes --no-deps -r $<
	@$(call pip_install,$(VENV)-bench/tangents) --require-hashes --no-deps -r requirements-bench-tangents.txt
	@$(VENV)-bench/bin/python -m pip install --quiet torch==2.13.0 \
		|| echo "PyTorch 2.13.0 could not be installed: the comparisons with it are left out"
	@touch $@

lock: ## renew the locks (needs uv)
	uv pip compile $(LOCK) --group book -o requirements.txt
	uv pip compile $(LOCK) --group test -c requirements.txt -o requirements-test.txt
	uv pip compile $(LOCK) --group lab -c requirements.txt -o requirements-lab.txt
	uv pip compile $(LOCK) --group bench -c requirements.txt -o requirements-bench.txt
	uv pip compile $(LOCK:pyproject.toml=) --group bench-tangents -o requirements-bench-tangents.txt
LOCK := --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-header --no-annotate pyproject.toml

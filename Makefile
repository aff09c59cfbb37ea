# Deep Limits: `make help` lists what there is to do.

PROFILE ?= quick
PYTHON  ?= python3

ifeq ($(filter quick full,$(PROFILE)),)
$(error unknown PROFILE=$(PROFILE); known profiles are quick and full)
endif

VENV := .venv
PY   := $(VENV)/bin/python
export PYTHONPATH := $(CURDIR)/src

# Notebooks or tests at a time: a kernel that starts or compiles leaves cores idle. `make -j8 book` takes eight.
# Not `:=`, as make knows its own -j only when it runs a recipe.
JOBS = $(or $(patsubst -j%,%,$(filter -j%,$(MAKEFLAGS))),2)

define check_python
@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null || { \
	echo "Deep Limits needs Python 3.11, 3.12, 3.13 or 3.14, and $(PYTHON) is: $$($(PYTHON) --version 2>&1 || true)"; \
	echo "Name another one, for example: make PYTHON=python3.12"; exit 1; } >&2
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "$(PYTHON) lacks the venv module (Debian and Ubuntu: apt install python3-venv)."; exit 1; } >&2
endef

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: book check test claim mutants harden sharpness archive pdf lab bench clean help lock alone

GOALS := $(or $(MAKECMDGOALS),book)
ALONE := $(if $(wildcard $(VENV)/.book),$(PY),$(PYTHON)) -m bookbuild.alone

# ---------------------------------------------------------------- one make at a time, in settled surroundings
ifneq ($(filter-out help lock,$(GOALS)),)
ifneq ($(value DEEPLIMITS_ALONE),$(CURDIR))
OUTER := yes
endif
endif

ifdef OUTER

.PHONY: $(GOALS)
$(filter-out lab,$(GOALS)): alone ; @:

lab: alone
	@$(PY) -m bookbuild.alone --beside $(PY) -m jupyter lab --notebook-dir=book

alone:
	$(if $(wildcard $(VENV)/.book),,$(check_python))
	@$(ALONE) $(MAKE) --no-print-directory $(GOALS:lab=$(VENV)/.lab)

else
# ---------------------------------------------------------------- what there is to do
# One goal after the other: what runs in parallel, notebooks and tests, is told how many.
.NOTPARALLEL:

book: $(VENV)/.book ## execute what has changed and build the site into _build/html (PROFILE=full: paper size)
	@$(PY) -m bookbuild.book --profile $(PROFILE) --jobs $(JOBS)

check: $(VENV)/.test ## lint, types and unit tests, in two minutes: no book, no browser
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pytest -q -n $(JOBS) --dist worksteal -m 'not slow' --ignore tests/book --ignore tests/site --durations 10 --durations-min 5

# The browser comes last: each worker has its own, and a server of the site. A file runs in one worker, as its fixtures
# are made once.
test: $(VENV)/.test book ## build the book, then run everything that protects the project
	$(PY) -m pytest -n $(JOBS) --dist loadfile --ignore tests/site
	$(PY) -m pytest -n $(JOBS) --dist loadfile tests/site

claim: $(VENV)/.book ## check one claim again: make claim ID=its-name (PROFILE=full: paper size)
	@$(PY) -m bookbuild.reverify '$(ID)' --profile $(PROFILE)

mutants: $(VENV)/.test ## plant errors one at a time and see which the tests notice (ONLY=one file, by name)
	@$(PY) -m tests.mutations --jobs $(JOBS) --only '$(ONLY)'

harden: $(VENV)/.test ## kill, interrupt, starve and double builds at random moments, an hour at most, and count what holds
	@$(PY) -m tests.harden

sharpness: book ## print what each check accepts, the bluntest first
	@$(PY) -m bookbuild.audit --profile $(PROFILE)

archive: book ## pack the evidence: records of claims, numbers of figures, executed notebooks, checksums
	@$(PY) -m bookbuild.archive

pdf: book ## print the book into one PDF (needs Chromium)
	@$(PY) -m bookbuild.pdf

lab: $(VENV)/.lab ## open the notebooks in JupyterLab
	$(PY) -m jupyter lab --notebook-dir=book

bench: $(VENV)-bench/.bench ## measure the package against its peers (QUICK=1: small sizes, nothing recorded)
	$(VENV)-bench/bin/python -m benchmarks $(if $(QUICK),--quick) $(if $(ONLY),--only '$(ONLY)') $(if $(RECORD),--record)

clean: ## remove everything that was built (the environments stay)
	rm -rf _build

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

# ---------------------------------------------------------------- the environments

$(VENV)/.book: requirements.txt
	$(check_python)
	@$(PYTHON) -m bookbuild.environment book

$(VENV)/.test $(VENV)/.lab: $(VENV)/.%: requirements-%.txt | $(VENV)/.book
	@$(PYTHON) -m bookbuild.environment $*

$(VENV)-bench/.bench: requirements-bench.txt requirements-bench-tangents.txt
	$(check_python)
	@$(PYTHON) -m bookbuild.environment bench

lock: ## renew the locks (needs uv)
	uv pip compile $(LOCK) --group book -o requirements.txt
	uv pip compile $(LOCK) --group test -c requirements.txt -o requirements-test.txt
	uv pip compile $(LOCK) --group lab -c requirements.txt -o requirements-lab.txt
	uv pip compile $(LOCK) --group bench -c requirements.txt -o requirements-bench.txt
	uv pip compile $(LOCK:pyproject.toml=) --group bench-tangents -o requirements-bench-tangents.txt
LOCK := --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-header --no-annotate pyproject.toml

endif

# Thin aliases.  The first that needs it sets up .venv; later ones reuse it until pyproject.toml or Python changes.
PYTHON ?= python3
JOBS ?= 2
SECONDS ?= 3600
FILES ?= 100000
SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help run test sim sim-long sim-exhaustive map-exhaustive fuzz bench lint docs clean

# Version and digest, or why not: decides on nothing but content, so that a fresh clone and an old one agree.
KEY := $(shell $(PYTHON) -c 'import sys, hashlib as h; v = "%d.%d.%d" % sys.version_info[:3]; print(v + "-" + h.sha256(open("pyproject.toml", "rb").read()).hexdigest()[:16] if sys.version_info >= (3, 11) else "old-" + v)' 2>/dev/null)
READY := .venv/ready-$(KEY)
RUN := .venv/bin/python -m
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:
	@echo "make run       set up, map Llama-3.1-8B and Mixtral-8x7B, confirm a GEMM on generated hardware"
	@echo "make test      set up, run every test, those of the hardware included"
	@echo "make sim       protocol benches and the cross-check of the edge preset, in Verilator"
	@echo "make sim-long  fresh random configurations for SECONDS=3600, the netlist of ecp5-tiny behind AXI, attention at 32x32"
	@echo "make sim-exhaustive  every operand of the floating-point units: an hour or two"
	@echo "make map-exhaustive  3,000 small problems, the mapper against enumeration: about fifteen minutes"
	@echo "make fuzz      100,000 damaged files to every reader; FILES=100000 SEED=1"
	@echo "make bench     measure this machine: speed of models, mapper and simulator"
	@echo "make docs      the documentation site, into build/docs"
	@echo "make lint      style, types and layers"
	@echo "make clean     remove .venv and what tools left in the tree"
	@echo "PYTHON=$(PYTHON) chooses the interpreter, 3.11 or newer"

run: $(READY)
	@$(RUN) sims.main_job

test: $(READY)
	@$(RUN) pytest -q -n $(JOBS) --dist loadgroup $(ARGS)

sim: $(READY)
	@$(RUN) sims.cli sim edge-npu
	@$(RUN) pytest -q tests/cosim -k bench $(ARGS)

sim-long: $(READY)
	@$(RUN) sims.synth.confirm
	@$(RUN) sims.measure 32
	@$(RUN) sims.cosim.long --seconds $(SECONDS)

sim-exhaustive: $(READY)
	@$(RUN) sims.cosim.arithmetic

map-exhaustive: $(READY)
	@MAP_PROBLEMS=1000 $(RUN) pytest -q -n $(JOBS) tests/mapper/plain/test_exhaustive.py $(ARGS)

fuzz: $(READY)
	@$(RUN) sims.fuzz --files $(FILES) --seed $(SEED)

bench: $(READY)
	@$(RUN) sims.bench

docs: $(READY)
	@$(RUN) sphinx -W -q -b html docs build/docs && echo "archmodel: build/docs/index.html"

lint: $(READY)
	@.venv/bin/ruff check
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache --no-logo

$(READY):
	@case "$(KEY)" in \
	  "") echo "archmodel: no Python at '$(PYTHON)'; name one that is 3.11 or newer: make PYTHON=/path/to/python3" >&2; exit 2;; \
	  old-*) echo "archmodel: $(PYTHON) is Python $(KEY:old-%=%), expected 3.11 or newer: make PYTHON=/path/to/python3" >&2; exit 2;; \
	esac
	@echo "archmodel: setting up .venv with Python $(firstword $(subst -, ,$(KEY))) (once; about a minute)"
	@.venv/bin/python -c 'import sys, pip; sys.exit("%d.%d.%d" % sys.version_info[:3] != "$(firstword $(subst -, ,$(KEY)))")' 2>/dev/null \
	  || $(PYTHON) -m venv --clear .venv \
	  || { echo "archmodel: '$(PYTHON) -m venv' failed; on Debian: apt-get install python3-venv" >&2; exit 2; }
	@.venv/bin/python -m pip install -qq -e '.[all]' \
	  || { echo "archmodel: pip could not install the dependencies; see its message above, then run make again" >&2; exit 2; }
	@rm -f .venv/ready-* && touch $@
	@echo "archmodel: .venv is ready"

clean:
	@rm -rf .venv build results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

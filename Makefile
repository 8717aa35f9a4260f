# One word for each thing a person does here. `make demo` and `make test` need nothing beforehand
# but python3 (3.10 to 3.12, with venv and headers), a C++ compiler and a package registry.

PYTHON ?= python3
VENV ?= .venv
# Where torch comes from. PyPI's Linux wheel brings CUDA along (gigabytes); on a machine without
# an NVIDIA GPU:  make test TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
TORCH := torch==2.13.0

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# 0 takes any port that is free.
DEMO_PORT ?= 0

.PHONY: help install demo test check lint bench system-packages
.DELETE_ON_ERROR:
.NOTPARALLEL: # two pips in one environment would trip over each other

help:
	@echo "make demo     run a recorded shop in real time: dashboard, receipts, scoreboard (no torch)"
	@echo "make test     run all tests               make check    style, types, import contracts"
	@echo "make lint     rewrite what can be fixed   make bench    speed ratios"
	@echo "make install  everything a developer needs, in $(VENV)"

# Two stages in one environment: the demo waits only for what a device needs.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-edge: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[edge]'
	@touch $@

$(VENV)/.installed-all: pyproject.toml | $(VENV)/bin/python
	$(PIP) '$(TORCH)' $(if $(TORCH_INDEX),--index-url '$(TORCH_INDEX)')
	$(PIP) --editable '.[edge,trainer,portal,dev,openvino,tensorrt-rtx]'
	@touch $(VENV)/.installed-edge $@

install: $(VENV)/.installed-all

# The shop's bundle travels without its network, which the default bundle has already. Before a
# terminal somebody looks at the dashboard, so it stays there until Ctrl-C.
demo: $(VENV)/.installed-edge
	@test -f models/pretrained/groceries/manifest.json || \
	  { echo "make demo: no models/pretrained/groceries; is the checkout complete?" >&2; exit 1; }
	@$(BIN)/python -m models.bundle deploy/demo/bundle-parts \
	  --network models/pretrained/groceries --out deploy/demo/bundles/groceries
	@stay=; if test -t 1; then stay=--stay; fi; \
	  $(BIN)/walkout-edge run deploy/demo/store.yaml --port $(DEMO_PORT) $$stay

# One process a core, a file's tests together. Threads of two processes that spin on the same cores
# would take longer than one thread each.
test: $(VENV)/.installed-all system-packages
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 \
	  --dist loadfile --max-worker-restart 0

check: $(VENV)/.installed-all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lint: $(VENV)/.installed-all
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-all
	$(PIP) --editable '.[alternatives]'
	$(BIN)/python -m tests.benchmarks

system-packages:
	@missing=; \
	for package in $$(sed 's/#.*//' debian-packages.txt); do \
	  dpkg --status $$package >/dev/null 2>&1 || missing="$$missing $$package"; \
	done; \
	test -n "$$missing" || exit 0; \
	if ! command -v apt-get >/dev/null; then as=none; \
	elif [ "$$(id -u)" = 0 ]; then as=; \
	elif sudo -n true 2>/dev/null; then as='sudo -n'; \
	else as=none; fi; \
	if [ "$$as" != none ] && $$as apt-get update --quiet=2 && \
	   DEBIAN_FRONTEND=noninteractive $$as apt-get install --quiet=2 --yes --no-install-recommends $$missing; \
	then exit 0; fi; \
	echo "make test: not installed:$$missing (apt-get install$$missing); tests that need them will skip"

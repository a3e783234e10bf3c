# SPDX-FileCopyrightText: The m365.offboarding contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Needs Python 3.11 or newer, git, and a package index that pip can reach. Everything is installed in .venv, .nox and .work.

PYTHON ?= python3

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
PIP := .venv/bin/python -m pip install --quiet --quiet --constraint tests/constraints.txt

# One session more than there are cores, since sessions also wait.
SESSIONS = $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + 1)')

.DEFAULT_GOAL := help
.PHONY: help demo tenant test clients mutants soak bench bench-peers screenshots docs matrix ways release clean

help: ## List the targets
	@echo "make TARGET [PYTHON=/path/to/python3.11-or-newer]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: .venv/simulator.stamp ## Offboard a leaver of a simulated tenant, and show the evidence (1 minute)
	@PYTHONPATH=tests .venv/bin/python -m demo

tenant: .venv/simulator.stamp ## Start a simulated tenant, and print how to reach it
	@PYTHONPATH=tests .venv/bin/python -m demo.tenant $(if $(APP),--app $(APP))

test: .venv/nox.stamp ## Run all checks and tests that must pass (15 minutes)
	@.venv/bin/python -m nox --parallel $(SESSIONS)

clients: .venv/nox.stamp ## Test the simulator with Microsoft's own clients (installs 500 MB)
	@.venv/bin/python -m nox --session clients

mutants: .venv/nox.stamp ## Run coverage and mutation tests (half an hour; ONLY=door_states)
	@.venv/bin/python -m nox --session $(if $(ONLY),,coverage) mutants -- $(ONLY)

soak: .venv/nox.stamp ## Run the role through faults, kills and thousands of generated schedules (an hour)
	@.venv/bin/python -m nox --session soak -- $(SOAK)

bench: .venv/nox.stamp ## Measure the role against other tools (50 minutes; SIZES=1,20 RUNS=1)
	@.venv/bin/python -m nox --session bench -- $(if $(SIZES),--sizes $(SIZES)) $(if $(RUNS),--runs $(RUNS)) $(BENCH)

bench-peers: .venv/nox.stamp ## Add azure.azcollection and CLI for Microsoft 365 to that (installs 2.6 GB)
	@.venv/bin/python -m nox --session bench-peers -- $(if $(SIZES),--sizes $(SIZES)) $(if $(RUNS),--runs $(RUNS)) $(BENCH)

screenshots: .venv/nox.stamp ## Retake the screenshots in docs/images
	@.venv/bin/python -m nox --session screenshots

docs: .venv/nox.stamp ## Check the documentation and build it as a site
	@.venv/bin/python -m nox --session docs-check docs

matrix: .venv/nox.stamp ## Run sanity, units and the role on every pair of ansible-core and Python (an hour; PAIRS="2.18-py3.13")
	@.venv/bin/python -m nox --session matrix -- $(PAIRS)

ways: .venv/nox.stamp ## Run the integration tests in both ways of running a module, on three ansible-cores (40 minutes)
	@.venv/bin/python -m nox --session ways-2.16 ways-2.19 ways-2.21

release: .venv/nox.stamp ## Build artifact, checksums and bill of materials in .work/release, and use them (4 minutes)
	@.venv/bin/python -m nox --session release

clean: ## Remove everything that the other targets made
	rm -rf .venv .nox .work .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is not Python 3.11 or newer: choose one, for example make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	  exit 1; }
	@echo "Creating a virtual environment in .venv ..."
	@$(PYTHON) -m venv .venv

.venv/simulator.stamp: requirements.txt tests/requirements.txt tests/constraints.txt | .venv/bin/python
	@echo "Installing ansible-core, msal, requests and the simulator's web server ..."
	@$(PIP) --requirement tests/requirements.txt
	@touch $@

.venv/nox.stamp: tests/locks/nox.txt tests/constraints.txt | .venv/bin/python
	@echo "Installing nox ..."
	@$(PIP) --require-hashes --requirement tests/locks/nox.txt
	@touch $@

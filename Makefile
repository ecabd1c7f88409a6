# SPDX-License-Identifier: Apache-2.0
# Each target sets up all that it needs, in .venv, from Python 3.11+ with pip. Nothing is installed globally.

PYTHON ?=
BIN := .venv/bin
# Three times as many as the smallest machine has processors: a test waits more than it computes.
WORKERS ?= 6
# Each begins elsewhere in the tests and helps out when it is done: those that wait run beside those that compute,
# a module's server is started by few of them, and none is left with a long rest.
SPREAD := -n $(WORKERS) --dist worksteal
UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-package remit-sdk --no-emit-index-url --no-emit-find-links --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help demo test test-all adoption attack mutants proof proofs chart gateways check docs docs-pages docs-check pictures bench race lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1 /p' $(MAKEFILE_LIST) | awk '{n = $$1; $$1 = ""; printf "  make %-10s%s\n", n, $$0}'

# One stamp per locked set: a second `make` does nothing, a changed lock reinstalls.
.venv/.stamp-%: requirements/%.txt pyproject.toml sdk/pyproject.toml .ci/venv .ci/hatch_build.py \
		src/remit/core/flow/reader/reader.zig
	@PYTHON="$(PYTHON)" .ci/venv $<
	@touch $@

demo: .venv/.stamp-demo ## the story, end to end, on real MCP servers
	$(BIN)/remit demo $(DEMO)

test: .venv/.stamp-dev ## the tests, without the slow ones and the code rules of `make check`
	$(BIN)/python -m pytest $(SPREAD) -m "not slow" --ignore=tests/architecture

test-all: .venv/.stamp-mutants ## every test
	HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-dev} $(BIN)/python -m pytest $(SPREAD)

adoption: .venv/.stamp-dev ## from an empty home to enforced rules, with public servers; writes build/adoption.json
	$(BIN)/python -m tests.adoption

attack: .venv/.stamp-dev ## search for attacks that pass, 100,000 candidates; writes build/adversary.json
	$(BIN)/python -m tests.adversary --json build/adversary.json

mutants: .venv/.stamp-mutants ## see whether the tests notice each mutant of what decides, hours; writes build/mutants.json
	$(BIN)/python -m tests.mutation

proof: .venv/bin/cedar ## install what `remit policy prove` needs: Cedar's analyzer (built by cargo, minutes) and cvc5

.venv/bin/cedar: .venv/.stamp-dev .ci/cedar
	.ci/cedar
	@touch $@

chart: .venv/bin/helm ## install what the tests of the Helm chart need: schemas, helm and kubeconform (built by go)

.venv/bin/helm: .venv/.stamp-mutants .ci/helm
	.ci/helm
	@touch $@

gateways: .venv/bin/egctl ## install what the tests of other gateways' examples need: egctl and istioctl (built by go, minutes)

.venv/bin/egctl: .venv/.stamp-dev .ci/gateways
	.ci/gateways
	@touch $@

proofs: proof ## see whether proofs about mutated bundles are right, minutes; writes build/proofs.json
	$(BIN)/python -m tests.proofs --json build/proofs.json

check: .venv/.stamp-dev ## format, lint, types, code rules, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/architecture
	$(BIN)/python docs/build.py --check

docs-check: .venv/.stamp-dev ## links, ADRs, SPDX lines and generated pages are as they should be
	$(BIN)/python docs/build.py --check

docs: docs-pages .venv/.stamp-docs ## write the generated reference pages, and build the site in build/site
	$(BIN)/python docs/site.py

pictures: .venv/.stamp-dev ## take the pictures of the console
	$(BIN)/python docs/pictures.py

docs-pages: .venv/.stamp-dev ## write the generated reference pages alone
	$(BIN)/python docs/build.py

bench: .venv/.stamp-bench ## measure; prints a table and writes build/bench.json
	$(BIN)/python -m bench

race: .venv/.stamp-dev ## what passes MCP gateways after an end, others' too; writes build/race.json, minutes
	$(BIN)/python -m bench.race

# One resolution for everything (all.txt), then each set as a part of it, so that the sets never disagree.
lock: .venv/.stamp-lock ## resolve requirements/*.txt anew from pyproject.toml
	$(UV_COMPILE) $(UPGRADE) pyproject.toml --all-extras --group mutants --group bench --group docs --group lock -o requirements/all.txt
	$(UV_COMPILE) -c requirements/all.txt pyproject.toml --group build -o requirements/run.txt
	$(UV_COMPILE) -c requirements/all.txt pyproject.toml --extra demo --group build -o requirements/demo.txt
	$(UV_COMPILE) -c requirements/all.txt pyproject.toml --extra demo --group dev -o requirements/dev.txt
	$(UV_COMPILE) -c requirements/all.txt pyproject.toml --extra demo --group mutants -o requirements/mutants.txt
	$(UV_COMPILE) -c requirements/all.txt pyproject.toml --group bench -o requirements/bench.txt
	$(UV_COMPILE) -c requirements/all.txt --group docs -o requirements/docs.txt
	$(UV_COMPILE) -c requirements/all.txt --group lock -o requirements/lock.txt

clean: ## remove .venv, build/ and caches
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

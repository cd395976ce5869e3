# `make help` lists the targets.
PYTHON ?= python3
PORT   ?= 8080
BIN    := .venv/bin
# Tests spend half of their time waiting, so run more processes than there are cores.
JOBS   ?= $(shell expr 3 \* $$(nproc 2>/dev/null || sysctl -n hw.ncpu))
# In CI, .ci/install has installed all programs, so none may be missing.
PYTEST := $(BIN)/python -m pytest --numprocesses $(JOBS) $(if $(CI),--fail-missing)
# Tests start thousands of processes, which must not compile the same modules again.
test test-long: export PYTHONDONTWRITEBYTECODE =
CORE   := setup.py pyproject.toml $(shell find forstcore server -name '*.pyx' -o -name '*.pxd' -o -name '*.h')

.DEFAULT_GOAL := help
.PHONY: help run test test-long lint bench bench-peers soak audit docs annotate asan fuzz fuzz-python dist release ci-local clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "forstcore needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

.venv/run: .venv/pip $(CORE)
	$(BIN)/pip install --quiet --editable .
	@touch $@

.venv/dev: .venv/run
	$(BIN)/pip install --quiet --group dev
	@touch $@

run: .venv/run ## build and start the server on PORT (8080)
	@echo "If port $(PORT) is in use, choose another: make run PORT=$$(($(PORT) + 1))"
	@echo "Paste this in another terminal:"
	@echo "  curl -sN -X POST -T examples/records.ndjson http://127.0.0.1:$(PORT)/streaming-process"
	@exec $(BIN)/python -m server --port $(PORT)

test: .venv/dev ## build and run the tests (a few minutes); select some with ARGS="tests/core -x"
	$(PYTEST) --dist worksteal --timeout 300 -m 'not long' $(ARGS)

test-long: .venv/dev ## build and run the long tests: randomized ones and package builds
	$(PYTEST) --dist loadfile --timeout 1800 -m 'long or hypothesis' $(ARGS)

lint: .venv/dev ## check style and types, and that the core compiles without Cython warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint forstcore server examples
	$(BIN)/python tests/cython_is_quiet.py
	$(BIN)/zizmor --quiet --offline .github

bench: .venv/dev ## run short versions of all benchmarks, with the peers that are installed
	$(BIN)/python -m benchmarks.core
	$(BIN)/python -m benchmarks.error_lines
	$(BIN)/python -m benchmarks.server --kinds weblog 110 --repetitions 2
	$(BIN)/python -m benchmarks.compiled --records 100000 --repeat 2
	$(BIN)/python -m benchmarks.compiled.http --records 400000 --repeat 2
	$(BIN)/python -m benchmarks.workers --repeat 2
	$(BIN)/python -m benchmarks.startup --repeat 5
	$(BIN)/python -m benchmarks.processors --repeat 2
	$(BIN)/python -m benchmarks.native --repeat 2 --size 200000000
	$(BIN)/python -m benchmarks.subscribers
	$(BIN)/python -m benchmarks.client --repeat 2
	$(BIN)/python -m benchmarks.typescript --repeat 2 --records 200000
	$(BIN)/python -m benchmarks.cli --runs 2
	$(BIN)/python -m benchmarks.dashboard --streams 10 --seconds 5

bench-peers: .venv/dev ## install the peers, and compare core, compiled processors and server with them; saves tables and plots
	bash benchmarks/install
	$(BIN)/python -m benchmarks.core
	$(BIN)/python -m benchmarks.error_lines
	$(BIN)/python -m benchmarks.compiled
	$(BIN)/python -m benchmarks.compiled.http
	$(BIN)/python -m benchmarks.server --kinds weblog 110 --save benchmarks/results

soak: .venv/dev ## run a server under mixed load for MINUTES (30) and check for leaks and lost data
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),30) --seed $(or $(SEED),1) --save build/soak

docs: .venv/dev ## generate the reference from the code, and the site in build/site
	$(BIN)/python docs/generate.py
	$(BIN)/python -m sphinx -q -W --keep-going -c docs . build/site
	@echo "build/site/docs/index.html"

audit: .venv/dev ## inject faults into client, proxy and server for MINUTES (1), reproducible by SEED (1)
	$(BIN)/python -m tests.audit --minutes $(or $(MINUTES),1) --seed $(or $(SEED),1)

annotate: .venv/dev ## write annotated HTML beside each .pyx: yellow lines use Python objects
	FORSTCORE_ANNOTATE=1 $(BIN)/python setup.py --quiet build_ext --inplace --force

asan: .venv/dev ## run the tests of the compiled code, without the long ones, under AddressSanitizer and UBSan
	rm -rf build/asan && mkdir -p build/asan
	cp -r forstcore server tests setup.py pyproject.toml README.md LICENSE build/asan
	find build/asan/forstcore build/asan/server \( -name '*.so' -o -name '*.c' \) -delete
	cd build/asan && FORSTCORE_SANITIZE=1 ../../$(BIN)/python setup.py --quiet build_ext --inplace
	cd build/asan && LD_PRELOAD="$$($${CC:-gcc} -print-file-name=libasan.so) $$($${CC:-gcc} -print-file-name=libubsan.so)" \
	  ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=. PYTHONMALLOC=malloc \
	  ../../$(BIN)/python -m pytest -p no:cacheprovider --numprocesses $(JOBS) --dist worksteal --timeout 1800 -m 'not long' tests/core tests/compiled --ignore tests/compiled/test_everywhere.py tests/server/test_chunked.py tests/server/test_fast_path.py -k "not rss"

fuzz: .venv/dev ## fuzz the compiled code with libFuzzer: one TARGET or all, SECONDS (60) each
	$(BIN)/pip install --quiet --group fuzz
	$(BIN)/python -m fuzz.explore --seconds $(or $(SECONDS),60) $(TARGET)

fuzz-python: .venv/dev ## compare random functions with their compiled forms, for SECONDS (600) from SEED (1)
	$(BIN)/python -m tests.compiled.generated --seconds $(or $(SECONDS),600) --seed $(or $(SEED),1)

dist: .venv/pip ## build sdist and wheel in dist/, and test them in a fresh environment
	rm -rf dist build/dist
	$(BIN)/pip install --quiet --group dist
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || date +%s)} \
	  $(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/check-wheel-contents dist
	$(PYTHON) -m venv build/dist
	build/dist/bin/pip install --quiet --disable-pip-version-check dist/*.whl
	cd build/dist && PATH=/nowhere ./bin/python ../../tests/packaging/prove.py

release: .venv/pip ## set the version to VERSION, and turn the unreleased part of the changelogs into a release
	$(BIN)/python .ci/release.py cut "$(VERSION)"

ci-local: .venv/dev ## run the jobs of the workflows here; some with ARGS="--python 3.14 ci.tests", see ARGS=--help
	$(BIN)/python .ci/local.py $(ARGS)

clean: ## remove everything that was built
	rm -rf .venv build dist wheelhouse benchmarks/.build *.egg-info
	find forstcore server -name static -prune -o \( -name '*.so' -o -name '*.html' -o -name '*.c' \) -exec rm {} +

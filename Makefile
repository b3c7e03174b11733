# Every target does its own set-up: only git, make and Python >= 3.11 are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
# Pythons that `make test-newest` installs under; the first compiles
NEWEST_PYTHONS ?= $(PYTHON)

# a fixed seed, so that a run can be repeated; try others with FUZZ_SEED=
FUZZ_SECONDS ?= 240
FUZZ_SEED ?= 4

.PHONY: test lint unit torture test-sites docs fuzz test-newest demo bench bench-scaling bench-gpu lock clean

$(READY): pyproject.toml requirements.lock tools/make_venv.sh
	bash tools/make_venv.sh "$(PYTHON)" "$(VENV)"
	touch $(READY)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry .

unit: $(READY)
	$(BIN)/pytest -n $(WORKERS)
	$(BIN)/pytest -q --doctest-modules src

test: lint unit

torture: $(READY)
	$(BIN)/pytest -n $(WORKERS) -m torture

test-sites: $(READY)
	bash tools/need_servers.sh
	$(BIN)/pytest -m sites tests/sites

docs: $(READY)
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html docs docs/_build/html

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)

test-newest: $(READY)
	bash tools/test_newest.sh $(BIN)/uv $(NEWEST_PYTHONS)

demo: $(READY)
	$(BIN)/python examples/demo.py demo-output
	$(BIN)/python examples/live_demo.py demo-output/scan demo-output/live

bench: $(READY)
	$(BIN)/python -m benchmarks

bench-scaling: $(READY)
	$(BIN)/python -m benchmarks scaling

bench-gpu: $(READY)
	$(BIN)/python -m benchmarks.gpu

lock: $(READY)
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra docs --extra live --extra mpi --extra nexus --universal --generate-hashes --no-header \
		--no-annotate --no-emit-index-url --python-version 3.11 -o requirements.lock

clean:
	rm -rf $(VENV) demo-output bench-output dist build docs/_build

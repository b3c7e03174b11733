# Every target does its own set-up: only git, make and Python >= 3.11 are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2

.PHONY: test lint unit demo bench bench-scaling bench-gpu lock clean

$(READY): pyproject.toml requirements.lock tools/make_venv.sh
	bash tools/make_venv.sh "$(PYTHON)" "$(VENV)"
	touch $(READY)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: $(READY)
	$(BIN)/pytest -n $(WORKERS)

test: lint unit

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
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra live --extra mpi --universal --generate-hashes --no-header \
		--no-annotate --no-emit-index-url --python-version 3.11 -o requirements.lock

clean:
	rm -rf $(VENV) demo-output bench-output dist build

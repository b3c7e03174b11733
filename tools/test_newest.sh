#!/usr/bin/env bash
# Install what users get, with the newest packages instead of the lock file, and run it:
# test_newest.sh UV PYTHON...
# The first Python compiles the cpu backend, which takes minutes; the others use the reference.
# The package comes from the source distribution, so that this also shows whether that is complete.
set -euo pipefail
uv=$1
shift
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export NUMBA_CACHE_DIR=$place/numba # compiled once per Python: leave nothing in the user's cache

unpack_release() {
    "$uv" build --quiet --out-dir "$place/dist"
    "$uv" tool run --quiet twine check --strict "$place"/dist/*
    mkdir "$place/source"
    tar -xzf "$place"/dist/*.tar.gz -C "$place/source" --strip-components 1
    for needed in CHANGELOG.md CITATION.cff CONTRIBUTING.md LICENSE Makefile README.md \
        benchmarks docs examples requirements.lock tests tools; do
        [ -e "$place/source/$needed" ] || { echo "test_newest: the sdist lacks $needed" >&2; exit 1; }
    done
}

write_small_scan() {
    cat >"$place/small.yml" <<'YAML'
crystal: Ni
sample: {kind: polycrystal, grain_um: 20.0, depths_um: [0.0, 100.0]}
scan: {n_x: 1}
region: {start_px: [768, 896], shape_px: [96, 96]}
seed: 1
YAML
}

# install PYTHON EXTRAS: make a fresh environment in $place/venv
install() {
    rm -rf "$place/venv"
    "$uv" venv --quiet --python "$1" "$place/venv"
    "$uv" pip install --quiet --python "$place/venv/bin/python" "$place/source$2"
}

# run NAME ARGUMENT...: run the program outside the source tree
run() (
    cd "$place"
    "venv/bin/lauedepth" "$@"
)

# reconstruct_a_point BACKEND
reconstruct_a_point() {
    rm -rf "$place/scan" "$place/results"
    mkdir "$place/results"
    run simulate --experiment source/examples/experiment.yml --sample small.yml --output scan >/dev/null
    run reconstruct scan/point_0001.h5 --experiment scan/experiment.yml \
        --output results/point_0001.h5 --backend "$1" >/dev/null
    run validate scan/point_0001.h5 results/point_0001.h5 >/dev/null
    "$place/venv/bin/python" - "$place" <<'PYTHON'
import sys
from pathlib import Path

import numpy as np

place = Path(sys.argv[1])
sys.path.insert(0, str(place / "source" / "examples"))
from demo import compare

errors = np.abs(compare(place / "scan", place / "results" / "point_0001.h5").error_um)
print(f"test_newest: {errors.size} depths, median error {np.median(errors):.2f} µm")
if errors.size < 50 or np.median(errors) > 0.5:
    sys.exit("test_newest: that is not what this scan gave before")
PYTHON
}

unpack_release
write_small_scan
backend=cpu
for python in "$@"; do
    echo "test_newest: $("$python" --version), plain install"
    install "$python" ""
    run --help >/dev/null
    run --version
    reconstruct_a_point "$backend"
    backend=reference
    echo "test_newest: $("$python" --version), extra 'live'"
    install "$python" "[live]"
    for command in watch status replay; do
        run "$command" --help >/dev/null
    done
done

#!/usr/bin/env bash
# Make the project's virtual environment from the lock file: make_venv.sh PYTHON FOLDER
set -euo pipefail
python=$1
venv=$2

if ! command -v "$python" >/dev/null; then
    echo "make: no '$python' on this machine; install Python >= 3.11 or call 'make PYTHON=/path/to/python3'" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "make: $("$python" --version) is too old; lauedepth needs Python >= 3.11" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    # Debian ships venv's pip in a package of its own.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get -qq update && apt-get -qq install -y python3-venv
    else
        echo "make: this Python has no ensurepip; on Debian: sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi
"$python" -m venv --clear "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --editable .

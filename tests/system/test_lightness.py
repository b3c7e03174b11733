"""Importing the package and asking for help stay quick and light."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("numpy", "numba", "h5py", "scipy", "matplotlib", "dbos", "sqlalchemy", "lxml")
SLOW = ("scipy.linalg", "scipy.optimize", "scipy.spatial", "matplotlib")


def loaded_by(code: str) -> set[str]:
    """Run code in a new interpreter, and return the modules that it loaded."""
    program = (
        "import sys, json, io, contextlib\nbefore = set(sys.modules)\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n    {code}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "code",
    [
        "import lauedepth",
        "from lauedepth.cli.app import run; run(['--help'])",
        "from lauedepth.cli.app import run; run(['reconstruct', '--help'])",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert loaded_by(code).isdisjoint(HEAVY)


def test_ranks_start_without_what_only_other_commands_need() -> None:
    code = (
        "from lauedepth.core.decoding.registry import choose_decoder; "
        "import lauedepth.tasks.parallel.ranks; choose_decoder('cpu')"
    )
    assert loaded_by(code).isdisjoint(SLOW)


def test_the_import_loads_the_standard_library_and_the_version_only() -> None:
    outside = loaded_by("import lauedepth") - set(sys.stdlib_module_names)
    names = {name for name in outside if name.partition(".")[0] not in sys.stdlib_module_names}
    assert names == {"lauedepth", "lauedepth.core", "lauedepth.core.version"}


def test_every_public_name_is_there() -> None:
    import lauedepth

    assert set(dir(lauedepth)) == set(lauedepth.__all__)
    for name in lauedepth.__all__:
        assert getattr(lauedepth, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lauedepth.nothing

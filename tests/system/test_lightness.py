"""Importing the package and asking for help stay quick and light."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest

HEAVY = ("numpy", "numba", "h5py", "scipy", "matplotlib", "dbos", "sqlalchemy", "lxml")
SLOW = ("scipy.linalg", "scipy.optimize", "scipy.spatial", "matplotlib")


def fresh(code: str, names: Sequence[str] = HEAVY) -> dict[str, float | list[str]]:
    """Run code in a new interpreter, and return its time and the heavy modules it loaded."""
    program = (
        "import sys, time, json, io, contextlib\nbegin = time.perf_counter()\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n    {code}\n"
        "seconds = time.perf_counter() - begin\n"
        f"heavy = [name for name in {list(names)} if name in sys.modules]\n"
        "print(json.dumps({'seconds': seconds, 'heavy': heavy}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    answer: dict[str, float | list[str]] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    "code",
    [
        "import lauedepth",
        "from lauedepth.cli.app import run; run(['--help'])",
        "from lauedepth.cli.app import run; run(['reconstruct', '--help'])",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert fresh(code)["heavy"] == []


def test_ranks_start_without_what_only_other_commands_need() -> None:
    code = (
        "from lauedepth.core.decoding.registry import choose_decoder; "
        "import lauedepth.tasks.parallel.ranks; choose_decoder('cpu')"
    )
    assert fresh(code, SLOW)["heavy"] == []


def test_the_import_takes_less_than_a_third_of_a_second() -> None:
    times = [fresh("import lauedepth")["seconds"] for _ in range(3)]
    assert min(float(one) for one in times if not isinstance(one, list)) < 0.3


def test_every_public_name_is_there() -> None:
    import lauedepth

    assert set(dir(lauedepth)) == set(lauedepth.__all__)
    for name in lauedepth.__all__:
        assert getattr(lauedepth, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lauedepth.nothing

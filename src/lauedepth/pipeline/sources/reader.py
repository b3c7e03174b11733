"""The process behind an `Inspector`: one JSON line in, one out, until it is idle.

``python -m lauedepth.pipeline.sources.reader``
"""

from __future__ import annotations

import json
import select
import sys
from pathlib import Path
from typing import Any, Final

from lauedepth.pipeline.errors import InputError, NotAPointError, UnfinishedError
from lauedepth.pipeline.protocols import Member
from lauedepth.pipeline.sources.frames import count_frames

IDLE_S: Final = 10.0
"""Time without a question after which the reader exits."""


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Return the shape of the frames asked for, or why there is none."""
    member = Member(**question["member"])
    try:
        shape = count_frames(Path(question["root"]), member, question["dataset"])
    except UnfinishedError as error:
        shape = error.frames, error.rows, error.columns
        told = {"what": error.what, "where": error.where}
        return {**told, "unfinished": shape, "is_open": error.is_open}
    except (InputError, NotAPointError) as error:
        own = isinstance(error, NotAPointError)
        return {"what": error.what, "where": error.where, "own": own}
    return {"shape": shape}


def main() -> None:
    """Answer until the other end is closed, or nothing has been asked for a while."""
    while select.select([sys.stdin], [], [], IDLE_S)[0]:
        line = sys.stdin.readline()
        if not line:
            return
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()

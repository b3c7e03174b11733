"""Commands as programs call them: with JSON lines."""

from __future__ import annotations

from collections.abc import Sequence

COMMANDS = frozenset(
    {
        *("calibrate", "check", "export", "inspect", "learn"),
        *("plot", "reconstruct", "simulate", "validate"),
    }
)
"""Those that print JSON lines when asked to."""


def asking_for_json(words: Sequence[object]) -> list[str]:
    """Return a command line with `--json`, where the command knows it."""
    line = [str(word) for word in words]
    wanted = bool(line) and line[0] in COMMANDS and "--json" not in line
    return [*line, "--json"] if wanted else line

"""Reaching a site: by ssh, with one connection that all requests share, or on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from lauedepth.pipeline.errors import FacilityError, UnreachableError
from lauedepth.pipeline.sites import agent

ASK: Final = ("python3", "-I", "-S", "-")
"""The only command that is ever run at a site by ssh; the request is its standard input."""

COMMAND_S: Final = 60.0
"""How long a scheduler's command may take; Slurm's give up after 9 to 18 s."""

ANSWER_S: Final = 90.0

REMEDIES: Final = {
    "Host key verification failed": "compare its key with what the facility tells, "
    "then log in once with ssh",
    "Permission denied": "the login is refused or has expired: log in once with ssh",
    "Could not resolve hostname": "check 'host' in the site's connection",
}
"""What to do where ssh says why it failed."""


@dataclass(frozen=True)
class Said:
    """What a program at a site printed, and its exit code."""

    code: int
    stdout: str
    stderr: str

    @property
    def last_line(self) -> str:
        """The last line of what went wrong."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.code}"


class Host:
    """A machine that runs programs and holds files.

    Parameters
    ----------
    name : str
        Name of the site, for messages.
    address : str
        Where ssh connects to; empty for this machine.
    config : Path or None
        ssh's configuration, if not the user's own.
    """

    def __init__(self, name: str, address: str = "", config: Path | None = None) -> None:
        self.name, self.address, self._config = name, address, config
        self._sockets = tempfile.TemporaryDirectory(prefix="ld-ssh-") if address else None

    def __enter__(self) -> Host:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._sockets is not None:
            words = [*self.ssh(), "-O", "exit", "--", self.address]
            with suppress(FileNotFoundError):  # nothing was ever reached without ssh
                subprocess.run(words, capture_output=True, check=False)
            self._sockets.cleanup()

    def ssh(self) -> list[str]:
        """Return ssh with its options: it never asks, and trusts only keys that are known."""
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": "10",
            "ServerAliveInterval": "15",
        }
        if self._sockets is not None:
            share = {"ControlMaster": "auto", "ControlPersist": "60"}
            options |= {**share, "ControlPath": f"{self._sockets.name}/%C"}
        config = ["-F", str(self._config)] if self._config else []
        named = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        return ["ssh", "-T", *config, *named]

    def run(self, words: Sequence[str], stdin: str = "") -> Said:
        """Run a program at the site.

        Raises
        ------
        UnreachableError
            If the site does not answer.
        FacilityError
            If the program is not there.
        """
        request = {"words": list(words), "stdin": stdin, "timeout_s": COMMAND_S}
        return Said(**self.ask("run", **request))

    def ask(self, action: str, **request: Any) -> Any:
        """Have the agent do something at the site, and return its answer.

        Raises
        ------
        UnreachableError
            If the site does not answer.
        FacilityError
            If what was asked for is not possible there, or ssh is not installed here.
        """
        words = (
            [*self.ssh(), "--", self.address, *ASK] if self.address else [sys.executable, *ASK[1:]]
        )
        text = json.dumps({"action": action, **request})
        program = Path(agent.__file__).read_text() + f"\n\nmain({text!r})\n"
        try:
            done = subprocess.run(
                words, input=program.encode(), capture_output=True, timeout=ANSWER_S, check=False
            )
        except FileNotFoundError as error:
            raise FacilityError("is not installed here", words[0], "install it") from error
        except subprocess.TimeoutExpired as error:
            raise UnreachableError(f"no answer for {ANSWER_S:.0f} s", self.name) from error
        return self._answer(done)

    def _answer(self, done: subprocess.CompletedProcess[bytes]) -> Any:
        lines = done.stdout.decode(errors="replace").split("\n")
        marked = [line for line in lines if line.startswith(agent.MARK)]
        try:
            answer: Mapping[str, Any] = json.loads(marked[-1].removeprefix(agent.MARK))
        except (IndexError, ValueError):  # nothing, or the connection broke within the line
            answer = {}
        if not answer:
            stderr = done.stderr.decode(errors="replace")
            said = Said(done.returncode, "", stderr).last_line
            remedy = next((r for text, r in REMEDIES.items() if text in stderr), "")
            raise UnreachableError(said, self.name, remedy)
        if answer.get("late"):
            raise UnreachableError(answer["error"], self.name)
        if "error" in answer:
            raise FacilityError(answer["error"], self.name)
        return answer["answer"]

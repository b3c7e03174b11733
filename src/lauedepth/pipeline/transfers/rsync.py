"""Files to a site and back by rsync: a part is kept, and checksums are compared at both ends."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from tempfile import TemporaryFile
from typing import IO, Final

from lauedepth.pipeline.errors import (
    AbsentError,
    FacilityError,
    OutputError,
    StoppedError,
    UnreachableError,
)
from lauedepth.pipeline.paths import printable
from lauedepth.pipeline.protocols import LOCAL, Item, Ref
from lauedepth.pipeline.sites.hosts import Host
from lauedepth.pipeline.transfers.threads import Stop

PARTIAL: Final = ".rsync-partial"

BROKEN: Final = (10, 12, 30, 35, 255)
"""Exit codes of rsync by which the connection broke, and not a file."""

INCOMPATIBLE: Final = 2
"""Exit code of rsync that is not answered by an rsync, or not by it alone."""

PRINTS: Final = "its login prints something: make it silent where it is not interactive"


class Rsync:
    """Moves files between this machine and a site; one that keeps its name and changes its folder.

    Parameters
    ----------
    limit_mb_s : float
        Largest rate (MB/s); 0 for no limit.
    """

    def __init__(self, host: Host, limit_mb_s: float = 0.0) -> None:
        self._host, self._limit_mb_s, self._here = host, limit_mb_s, Host(LOCAL)

    def move(self, items: Sequence[Item], stop: Stop) -> tuple[str, ...]:
        """Move files and return their checksums; see `Mover.move`."""
        groups: dict[tuple[Ref, Ref], list[str]] = defaultdict(list)
        for item in items:
            source = Ref(item.source.site, (item.source.path / item.name).parent)
            target = Ref(item.destination.site, item.destination.path.parent)
            groups[source, target].append(item.destination.path.name)
        before = self._digests([Ref(i.source.site, i.source.path / i.name) for i in items])
        for item, digest in zip(items, before, strict=True):
            if digest is None:
                raise AbsentError("is absent", printable(item.name))
        for (source, target), names in groups.items():
            self._make(target)
            self._rsync(source, target, names, stop)
        after = self._digests([item.destination for item in items])
        for item, sent, arrived in zip(items, before, after, strict=True):
            if sent != arrived or item.sha256 not in ("", arrived):
                where = printable(str(item.destination.path))
                raise OutputError("the copy does not match its checksum", where, "retry")
        return tuple(digest or "" for digest in after)

    def _digests(self, files: Sequence[Ref]) -> list[str | None]:
        """Return checksums, each computed where the file is."""
        sites = {file.site for file in files}
        found = {
            (site, path): digest
            for site in sites
            for paths in [[str(file.path) for file in files if file.site == site]]
            for path, digest in zip(paths, self._at(site).ask("digests", paths=paths), strict=True)
        }
        return [found[file.site, str(file.path)] for file in files]

    def _at(self, site: str) -> Host:
        return self._here if site == LOCAL else self._host

    def _make(self, folder: Ref) -> None:
        self._at(folder.site).ask("make", path=str(folder.path))

    def _rsync(self, source: Ref, target: Ref, names: Sequence[str], stop: Stop) -> None:
        words = ["rsync", "--protect-args", "--times", "--copy-links", "--timeout=60"]
        words += ["--no-relative", "--from0", "--files-from=-", f"--partial-dir={PARTIAL}"]
        if self._host.address:
            words.append(f"--rsh={shlex.join(self._host.ssh())}")
        if self._limit_mb_s:
            words.append(f"--bwlimit={max(1, round(self._limit_mb_s * 1000))}")
        words += ["--", f"{self._named(source)}/", f"{self._named(target)}/"]
        self._carry_out(words, b"".join(name.encode() + b"\0" for name in names), stop)

    def _named(self, folder: Ref) -> str:
        is_far = folder.site != LOCAL and self._host.address
        return f"{self._host.address}:{folder.path}" if is_far else str(folder.path)

    def _carry_out(self, words: Sequence[str], names: bytes, stop: Stop) -> None:
        # Files, no pipes: rsync may end without reading, or have more to say than a pipe holds.
        with TemporaryFile() as wanted, TemporaryFile() as complaints:
            wanted.write(names)
            wanted.seek(0)
            with _started(words, wanted, complaints) as process:
                while process.poll() is None:
                    if stop():
                        process.terminate()
                        raise StoppedError("cancelled while its files were moved")
                    time.sleep(0.02)
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip().splitlines()
        if process.returncode in BROKEN:
            raise UnreachableError(said[0] if said else "the connection broke", self._host.name)
        if process.returncode:
            remedy = PRINTS if process.returncode == INCOMPATIBLE else ""
            raise OutputError(said[0] if said else "rsync failed", self._host.name, remedy)


def _started(
    words: Sequence[str], wanted: IO[bytes], complaints: IO[bytes]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(words, stdin=wanted, stdout=subprocess.DEVNULL, stderr=complaints)
    except FileNotFoundError as error:
        raise FacilityError("is not installed here", words[0], "install it") from error

"""Damage files at random and read them: ``python -m tests.fuzz --seconds 60``.

Each input that makes the program crash, hang, take more than 1 GB or raise anything but its own
errors is kept in ``tests/fuzz/corpus``, which the tests replay for ever after.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS
from tests.fuzz.trial import trial

CORPUS = Path(__file__).with_name("corpus")


def fuzz(names: list[str], seconds: float, seed: int) -> int:
    """Try inputs in turn of each target until the time is over; return how many failed."""
    chance, counts, kinds = random.Random(seed), Counter[str](), set[tuple[str, str]]()
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        seeds = {}
        for name in names:
            path = Path(folder) / ("good_" + name + TARGETS[name].suffix)
            TARGETS[name].make(path)
            seeds[name] = path.read_bytes()
            TARGETS[name].read(path)  # imports once what every trial needs
        while time.monotonic() < end:
            for name in names:
                content, path = mutated(seeds[name], chance), Path(folder) / name
                path = path.with_suffix(TARGETS[name].suffix)
                path.write_bytes(content)
                counts[name] += 1
                wrong = trial(TARGETS[name].read, path)
                kind = (name, wrong.strip().rpartition("\n")[2][:60])
                if wrong and kind not in kinds:
                    kinds.add(kind)
                    _keep(name, content, wrong)
    total = sum(counts.values())
    least = min(counts.values())
    print(f"seed {seed}: {total} inputs, {least} or more of each kind; {len(kinds)} faults")
    return len(kinds)


def _keep(name: str, content: bytes, wrong: str) -> None:
    digest = hashlib.sha256(content).hexdigest()[:12]
    path = CORPUS / name / f"{digest}{TARGETS[name].suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    print(f"{path}: {wrong}", flush=True)


def main() -> int:
    """Fuzz for a while."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("targets", nargs="*", default=list(TARGETS))
    chosen = parser.parse_args()
    return 1 if fuzz(chosen.targets, chosen.seconds, chosen.seed) else 0


if __name__ == "__main__":
    sys.exit(main())

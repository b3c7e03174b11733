"""Which GPU and how many threads each rank of a node may use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lauedepth.core.errors import ConfigurationError

RANKS_PER_GPU: Final = "LAUEDEPTH_RANKS_PER_GPU"
"""Environment variable: maximum of ranks that share a GPU; any number by default."""

GPU_ORDER: Final = "LAUEDEPTH_GPU_ORDER"
"""Environment variable: "reversed" gives the last GPU to the first ranks, as suits Polaris."""

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class GpuSharing:
    """How the ranks of a node share its GPUs.

    Attributes
    ----------
    ranks_per_gpu : int or None
        Maximum of ranks on one GPU; None for as many as there are.
    reverse : bool
        Whether the first ranks get the last GPU.
    """

    ranks_per_gpu: int | None = None
    reverse: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> GpuSharing:
        """Read the environment variables.

        Raises
        ------
        ConfigurationError
            One of them makes no sense.
        """
        ranks = environment.get(RANKS_PER_GPU, "")
        order = environment.get(GPU_ORDER, "")
        if ranks and not (ranks.isdigit() and int(ranks) > 0):
            raise ConfigurationError(
                f"is {ranks!r}, not a number of ranks", RANKS_PER_GPU, "set 1 or more"
            )
        if order not in {"", "normal", "reversed"}:
            raise ConfigurationError(f"is {order!r}", GPU_ORDER, "set 'normal' or 'reversed'")
        return cls(int(ranks) if ranks else None, order == "reversed")


def node_gpus(
    environment: Mapping[str, str], driver: Path = Path("/proc/driver/nvidia/gpus")
) -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.

    CUDA itself is not asked: the choice must be made before it is loaded.
    """
    allowed = environment.get(VISIBLE)
    if allowed is not None:
        names = [name.strip() for name in allowed.split(",")]
        return names[: names.index("-1")] if "-1" in names else [name for name in names if name]
    if not driver.is_dir():
        return []
    return [str(number) for number, _ in enumerate(driver.iterdir())]


def gpu_of_rank(
    local_rank: int, local_ranks: int, gpus: Sequence[str], sharing: GpuSharing
) -> str | None:
    """Return the GPU of a rank of a node, or None if it gets none.

    Neighbouring ranks share a GPU, as launchers bind neighbours to cores near each other.

    Parameters
    ----------
    local_rank, local_ranks : int
        The rank on its node, and how many ranks the node has.
    gpus : sequence of str
    sharing : GpuSharing
    """
    if not gpus:
        return None
    turn = local_rank * len(gpus) // local_ranks if local_ranks > len(gpus) else local_rank
    first = -(-turn * local_ranks // len(gpus)) if local_ranks > len(gpus) else local_rank
    limit = sharing.ranks_per_gpu
    if limit is not None and local_rank - first >= limit:
        return None
    return gpus[len(gpus) - 1 - turn if sharing.reverse else turn]


def threads_of_rank(
    local_rank: int, cores: Sequence[frozenset[int]], quota: float | None = None
) -> int:
    """Return how many threads a rank may start, so that a node's ranks share its cores.

    Parameters
    ----------
    local_rank : int
        The rank on its node.
    cores : sequence of frozenset of int
        The cores that each rank of the node may run on.
    quota : float, optional
        Cores' worth of time that the node's ranks may use together (a cgroup's quota).

    Returns
    -------
    int
        At least 1, even where there are more ranks than cores.
    """
    users = Counter(core for allowed in cores for core in allowed)
    share = sum(1.0 / users[core] for core in cores[local_rank])
    if quota is not None:
        share = min(share, quota / len(cores))
    return max(1, int(share + 1e-9))

"""Samples: grains along the beam, as a function of position on the sample.

Depth is measured along the beam from the experiment's origin, in µm. Positions on the sample
are those of the beam, (x, y) in µm along the lab axes X and Y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from scipy.spatial.transform import Rotation

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import ConfigurationError
from lauedepth.crystals import Crystal


@dataclass(frozen=True)
class Grain:
    """A single crystal in the path of the beam.

    Attributes
    ----------
    crystal : Crystal
    orientation : Rotation
        From the crystal frame to the 34-ID-E lab frame (X outboard, Y up, Z along the beam).
    begin_um, end_um : float
        The depths at which the beam enters and leaves it.
    number : int
        Its number in the sample.
    """

    crystal: Crystal
    orientation: Rotation
    begin_um: float
    end_um: float
    number: int = 0

    def __post_init__(self) -> None:
        if not self.begin_um < self.end_um:
            raise ConfigurationError(
                f"depths {self.begin_um} to {self.end_um} µm are empty",
                f"grain {self.number}",
                "give a start smaller than the end",
            )

    @property
    def depth_um(self) -> float:
        """Depth of its centre."""
        return (self.begin_um + self.end_um) / 2

    @property
    def width_um(self) -> float:
        """Path length of the beam in it."""
        return self.end_um - self.begin_um


class Sample(Protocol):
    """Anything that knows which grains the beam crosses."""

    def column(self, x_um: float, y_um: float) -> tuple[Grain, ...]:
        """Return the grains under a position, in order of depth."""
        ...


@dataclass(frozen=True)
class Column:
    """The same grains wherever the beam falls.

    Attributes
    ----------
    grains : tuple of Grain
    """

    grains: tuple[Grain, ...]

    def column(self, x_um: float, y_um: float) -> tuple[Grain, ...]:
        """Return the grains, whatever the position."""
        del x_um, y_um
        return self.grains


def random_column(
    crystal: Crystal, sizes_um: Sequence[float], *, start_um: float = 0.0, seed: int = 0
) -> Column:
    """Stack grains of given sizes along the beam, each with a random orientation.

    Parameters
    ----------
    crystal : Crystal
    sizes_um : sequence of float
        Path length of the beam in each grain, in order of depth.
    start_um : float
        Depth at which the first grain starts.
    seed : int
    """
    edges = start_um + np.concatenate([[0.0], np.cumsum(np.asarray(sizes_um, np.float64))])
    turns = Rotation.random(len(sizes_um), rng=np.random.default_rng(seed))
    return Column(
        tuple(
            Grain(crystal, turns[number], float(edges[number]), float(edges[number + 1]), number)
            for number in range(len(sizes_um))
        )
    )


def membrane(
    crystal: Crystal, depth_um: float, thickness_um: float, orientation: Rotation | None = None
) -> Column:
    """Return a thin single crystal, centred at a depth."""
    turn = Rotation.identity() if orientation is None else orientation
    half = thickness_um / 2
    return Column((Grain(crystal, turn, depth_um - half, depth_um + half),))


@dataclass(frozen=True)
class Polycrystal:
    """A Voronoi tessellation: each point belongs to the grain with the nearest centre.

    Attributes
    ----------
    crystal : Crystal
    centres_um : (n, 3) array
        (x, y, depth) of each grain.
    orientations : Rotation
        One per grain.
    start_um, stop_um : float
        Depth range of the material.
    """

    crystal: Crystal
    centres_um: Floats
    orientations: Rotation
    start_um: float
    stop_um: float

    @classmethod
    def random(
        cls,
        crystal: Crystal,
        *,
        grain_um: float,
        extent_um: tuple[float, float],
        depths_um: tuple[float, float],
        seed: int = 0,
    ) -> Self:
        """Distribute grains uniformly at random.

        Parameters
        ----------
        crystal : Crystal
        grain_um : float
            Cube root of the mean grain volume.
        extent_um : (float, float)
            Size of the sample along x and y, centred on 0, 0.
        depths_um : (float, float)
            Depth range of the material.
        seed : int
        """
        low = np.array([-extent_um[0] / 2, -extent_um[1] / 2, depths_um[0]]) - grain_um
        high = np.array([extent_um[0] / 2, extent_um[1] / 2, depths_um[1]]) + grain_um
        count = max(1, round(float(np.prod((high - low) / grain_um))))
        rng = np.random.default_rng(seed)
        centres = rng.uniform(low, high, (count, 3))
        return cls(crystal, centres, Rotation.random(count, rng=rng), *depths_um)

    def column(self, x_um: float, y_um: float) -> tuple[Grain, ...]:
        """Return the grains that the beam crosses at a position, with exact boundaries.

        Along the beam the squared distance to a centre is s² plus a line in s, so the
        nearest centre is the lower envelope of straight lines.
        """
        depth = self.centres_um[:, 2]
        across = (self.centres_um[:, 0] - x_um) ** 2 + (self.centres_um[:, 1] - y_um) ** 2
        height = across + depth**2
        here = self.start_um
        current = int(np.argmin(height - 2 * depth * here))
        grains: list[Grain] = []
        while here < self.stop_um:
            deeper = np.flatnonzero(depth > depth[current])
            crossing = (height[deeper] - height[current]) / (2 * (depth[deeper] - depth[current]))
            end = min(self.stop_um, float(crossing.min(initial=np.inf)))
            if end > here:
                turn = self.orientations[current]
                grains.append(Grain(self.crystal, turn, here, end, current))
            if end == self.stop_um:
                break
            here, current = end, int(deeper[np.argmin(crossing)])
        return tuple(grains)


@dataclass(frozen=True)
class Surface:
    """A flat surface, behind which the sample absorbs.

    Attributes
    ----------
    depth_um : float
        Depth at which the beam enters.
    normal : (float, float, float)
        Outward normal, beam frame; by default at 45° to the beam.
    """

    depth_um: float = 0.0
    normal: tuple[float, float, float] = (-1.0, 1.0, 0.0)

    def transmission(
        self, crystal: Crystal, energy_kev: float, depth_um: float, direction: Floats
    ) -> float:
        """Return the transmission on the way to a depth and out again.

        Parameters
        ----------
        crystal : Crystal
            The material, taken to be the same along the whole path.
        energy_kev, depth_um : float
        direction : (3,) array
            Unit vector of the outgoing ray, beam frame.
        """
        import xraydb  # noqa: PLC0415  the tables take 0.3 s to load

        normal = np.asarray(self.normal) / np.linalg.norm(self.normal)
        outward = float(direction @ normal)
        inside = max(depth_um - self.depth_um, 0.0)
        if inside == 0.0:
            return 1.0
        if outward <= 0.0:
            return 0.0
        path_cm = inside * (1 + abs(normal[0]) / outward) * 1e-4
        mass = {atom.element: atom.occupancy * len(places) for atom, places in crystal.sites}
        weights = {el: n * xraydb.atomic_mass(el) for el, n in mass.items()}
        mu = sum(
            w * float(xraydb.mu_elam(el, energy_kev * 1e3)) for el, w in weights.items()
        ) / sum(weights.values())
        return float(np.exp(-mu * crystal.density_g_cm3 * path_cm))

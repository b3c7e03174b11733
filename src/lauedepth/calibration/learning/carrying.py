"""Carry what is learnt of an aperture from point to point.

Edges, widening and thickness belong to the aperture, positions and beam to the point. A point's
Fisher information of all of them, with positions and beam taken out by Schur's complement, is
what it tells of the aperture alone; that of several points adds up, and is the prior of the
next one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from lauedepth.calibration.learning import limits
from lauedepth.calibration.learning.equations import Information, Scales, unknown_means
from lauedepth.calibration.learning.instrument import Layout, Nominal
from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.known import KnownAperture, design_of


def told_of_aperture(
    information: Information,
    layout: Layout,
    scales: Scales,
    name: str,
    design: str,
    *,
    opaque: bool,
) -> KnownAperture:
    """Return what one point tells of the aperture.

    Parameters
    ----------
    information : Information
        Of the point alone.
    layout : Layout
    scales : Scales
        How far positions and beam depart, by the evidence.
    name : str
        The point's.
    design : str
        Of the aperture.
    opaque : bool
    """
    own, aperture = slice(0, layout.edge.start), layout.aperture
    inner = information.matrix[own, own] + scales.precision(layout)[own, own]
    for mode in unknown_means(layout, (layout.position, layout.beam)):
        inner += np.outer(mode[own], mode[own]) / limits.HELD**2
    factor = cho_factor(inner, lower=True)
    coupling = information.matrix[aperture, own]
    target = information.target
    matrix = information.matrix[aperture, aperture] - coupling @ cho_solve(factor, coupling.T)
    return KnownAperture(
        design,
        opaque,
        (name,),
        (matrix + matrix.T) / 2,
        target[aperture] - coupling @ cho_solve(factor, target[own]),
    )


def added(known: KnownAperture | None, told: KnownAperture) -> KnownAperture:
    """Return what is known when a point was added; one that is in it already adds nothing."""
    if known is None:
        return told
    if set(told.points) <= set(known.points):
        return known
    return replace(
        known,
        points=(*known.points, *told.points),
        matrix=known.matrix + told.matrix,
        target=known.target + told.target,
    )


def expected_aperture(
    known: KnownAperture, layout: Layout, scales: Scales
) -> tuple[Floats, Floats]:
    """Return the aperture's unknowns as known, and their standard errors: (n,) arrays."""
    aperture = layout.aperture
    matrix = known.matrix + np.diag(scales.spread_over(layout)[aperture] ** -2.0)
    for mode in unknown_means(layout, (layout.edge,)):
        matrix += np.outer(mode[aperture], mode[aperture]) / limits.HELD**2
    factor = cho_factor(matrix, lower=True)
    mean = cho_solve(factor, known.target)
    return np.asarray(mean), np.sqrt(np.diag(cho_solve(factor, np.eye(mean.size))))


def experiment_with(known: KnownAperture, experiment: Experiment, scales: Scales) -> Experiment:
    """Return an experiment with the aperture as known.

    Raises
    ------
    InputError
        It is another aperture.
    """
    if known.design != design_of(experiment.aperture):
        raise InputError(
            "what was learnt belongs to another aperture than the experiment's",
            "instrument.file",
            "learn again with `lauedepth learn`, or correct the section aperture",
        )
    nominal = Nominal.of(experiment)
    departures = np.zeros(nominal.layout.size)
    departures[nominal.layout.aperture] = expected_aperture(known, nominal.layout, scales)[0]
    edges = nominal.with_departures(departures, opaque=known.opaque).edges
    thickness_um = experiment.aperture.thickness_um * float(np.exp(departures[-1]))
    return replace(
        experiment,
        aperture=replace(
            experiment.aperture, edges_um=tuple(edges.tolist()), thickness_um=thickness_um
        ),
    )

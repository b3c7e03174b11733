"""Attenuation against tables, and the energies found from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.instrument.energy import attenuation_per_um, find_energies
from lauedepth.core.instrument.experiment import Aperture


def test_gold_absorbs_as_the_tables_say() -> None:
    # NIST: 118.1 cm²/g at 10 keV, 78.8 cm²/g at 20 keV
    per_um = attenuation_per_um(Aperture((1,)), np.array([10.0, 20.0]))
    assert per_um / (19.32e-4) == pytest.approx([118.1, 78.8], rel=0.02)


@given(energy=st.floats(6.0, 29.0))
def test_energy_comes_back_from_its_absorption_or_is_flagged(energy: float) -> None:
    aperture = Aperture((1,))
    absorption = attenuation_per_um(aperture, np.array([energy])) * aperture.thickness_um * 1.2
    found, ambiguous = find_energies(
        aperture, absorption, np.array([0.01]), np.array([1.2]), 5.0, 30.0
    )
    same = attenuation_per_um(aperture, found) * aperture.thickness_um * 1.2
    assert same == pytest.approx(absorption, rel=0.02)
    assert ambiguous[0] or found[0] == pytest.approx(energy, rel=0.01)


def test_unknown_absorption_gives_no_energy() -> None:
    found, ambiguous = find_energies(
        Aperture((1,)), np.array([np.nan, 1.0]), np.array([np.nan, 0.9]), np.ones(2), 5.0, 30.0
    )
    assert np.isnan(found).all() and not ambiguous.any()

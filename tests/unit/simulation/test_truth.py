"""The ground truth of hand-made sources."""

from __future__ import annotations

import numpy as np

from lauedepth.simulation import LightSources
from lauedepth.simulation.truth import TRUTH, truth_table


def test_energies_of_one_interval_are_one_source() -> None:
    made = LightSources.of(
        [2, 2],
        [3, 3],
        10.0,
        20.0,
        [100.0, 40.0],
        energy_kev=[12.0, 24.0],
        hkl=[[1, 1, 1], [2, 2, 2]],
    )
    (one,) = truth_table(made, 7.0)
    assert (one["row"], one["column"], one["n_depths"]) == (2, 3, 1)
    assert (one["depth_um"], one["width_um"], one["intensity"]) == (15.0, 10.0, 140.0)
    assert (one["energy_kev"], one["hkl"].tolist()) == (12.0, [1, 1, 1])
    assert one["background"] == 7.0
    assert np.isnan(one["second_depth_um"])


def test_the_stronger_of_two_depths_comes_first() -> None:
    made = LightSources.of([2, 2], [3, 3], [10.0, 50.0], [20.0, 54.0], [30.0, 60.0], grain=[1, 2])
    (one,) = truth_table(made, np.full((4, 5), 3.0))
    assert (one["depth_um"], one["second_depth_um"]) == (52.0, 15.0)
    assert (one["width_um"], one["second_width_um"]) == (4.0, 10.0)
    assert (one["intensity"], one["second_intensity"]) == (60.0, 30.0)
    assert (one["grain"], one["n_depths"]) == (2, 2)


def test_rows_come_in_the_order_of_the_image() -> None:
    made = LightSources.of([5, 1, 1], [0, 9, 2], 0.0, 1.0, 1.0)
    table = truth_table(made, 0.0)
    assert [(int(one["row"]), int(one["column"])) for one in table] == [(1, 2), (1, 9), (5, 0)]


def test_without_light_there_is_no_row() -> None:
    assert truth_table(LightSources.none(), 0.0).dtype == TRUTH
    assert truth_table(LightSources.none(), 0.0).size == 0

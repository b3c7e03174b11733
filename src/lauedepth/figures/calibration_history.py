"""A figure of calibrations over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lauedepth.calibration import HistoryEntry
from lauedepth.figures.style import BLUE, GREY, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_history(history: Sequence[HistoryEntry]) -> Figure:
    """Draw each parameter over time, with errors: one panel per parameter."""
    names = list(dict.fromkeys(name for one in history for name in one.record.values))
    figure = new_figure(9.0, 1.8 * len(names) + 0.8)
    axes = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for axis, name in zip(axes, names, strict=True):
        records = [one.record for one in history if name in one.record.values]
        values = np.array([record.values[name] for record in records])
        errors = np.array([record.errors[name] for record in records])
        when = [record.when for record in records]
        axis.errorbar(when, values, errors, fmt="o-", color=BLUE, ms=4, lw=1.0, capsize=2)
        axis.axhline(values[0], color=GREY, lw=0.8, ls="--")
        axis.set_ylabel(name.replace("_", " "))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_title("Calibrations over time; the dashed line is the first")
    figure.autofmt_xdate()
    return figure

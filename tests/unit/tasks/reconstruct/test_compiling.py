"""A decoder is started before it is needed, and says so where that takes long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lauedepth.core.decoding.answers import Answers, Traces
from lauedepth.core.decoding.cpu.decoder import CpuDecoder
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.tasks.reconstruct import start_decoder

if TYPE_CHECKING:
    from .conftest import SmallPoint


def test_a_device_starts_for_frames_and_traces_and_says_when_it_compiles(
    small_point: SmallPoint,
) -> None:
    reports: list[tuple[int, int]] = []
    layouts: list[bool] = []

    class Fresh(CpuDecoder):
        batch_pixels = 100_000
        prefers_frames = True

        def __init__(self, ready: bool) -> None:
            self.ready = ready

        def solve(
            self, experiment: Experiment, rays: RayMap, traces: Traces, options: DecodeOptions
        ) -> Answers:
            layouts.append(traces.counts.flags.c_contiguous)
            return super().solve(experiment, rays, traces, options)

        def is_compiled(self) -> bool:
            return self.ready

    core, options = small_point.config.to_core(), DecodeOptions()
    for ready in (True, False):
        start_decoder(Fresh(ready), core, options, lambda *progress: reports.append(progress))
    assert reports == [(0, 1), (1, 1)]
    assert layouts == [True, False] * 2

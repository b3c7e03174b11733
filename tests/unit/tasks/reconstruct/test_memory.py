"""Memory is for bands of rows, as many as are in use at once."""

from __future__ import annotations

from lauedepth.core.decoding.cpu.decoder import CpuDecoder
from lauedepth.tasks.reconstruct.memory import BASE_BYTES, band_bytes, bands_at_once


class Device(CpuDecoder):
    prefers_frames = True


def test_a_decoder_of_frames_holds_a_band_more() -> None:
    assert (bands_at_once(CpuDecoder()), bands_at_once(Device())) == (2, 3)
    assert band_bytes(CpuDecoder(), BASE_BYTES + 600) == 300
    assert band_bytes(Device(), BASE_BYTES + 600) == 200

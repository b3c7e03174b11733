"""Learn the instrument as it is: bars, motion and beam, from the traces of a point.

Arrays only. The method is described in docs/instrument.md.
"""

from lauedepth.calibration.learning.carrying import added
from lauedepth.calibration.learning.equations import Scales
from lauedepth.calibration.learning.learn import LearnOptions, learn_instrument
from lauedepth.calibration.learning.passes import learn_from_traces
from lauedepth.calibration.learning.pixels import Start, start_from
from lauedepth.calibration.learning.result import InstrumentFit

__all__ = [
    "InstrumentFit",
    "LearnOptions",
    "Scales",
    "Start",
    "added",
    "learn_from_traces",
    "learn_instrument",
    "start_from",
]

"""From the detector's folder to the results folder while the experiment runs.

The interfaces are the protocols exported here. The parts that need a database are imported from
their own modules, so that planning and replaying work without one.
"""

from lauedepth.pipeline.planner import Demand, Forecast, forecast
from lauedepth.pipeline.protocols import (
    Item,
    JobReport,
    JobRequest,
    JobState,
    Member,
    Recipe,
    Ref,
    Scheduler,
    Sighting,
    Source,
    Transfer,
    TransferReport,
    TransferState,
    here,
)

__all__ = [
    "Demand",
    "Forecast",
    "Item",
    "JobReport",
    "JobRequest",
    "JobState",
    "Member",
    "Recipe",
    "Ref",
    "Scheduler",
    "Sighting",
    "Source",
    "Transfer",
    "TransferReport",
    "TransferState",
    "forecast",
    "here",
]

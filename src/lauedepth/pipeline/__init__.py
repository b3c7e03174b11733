"""From the detector's folder to the results folder while the experiment runs.

The seams are the protocols named here; the parts that need a database are imported from their
modules, so that planning and replaying do without one.
"""

from lauedepth.pipeline.planner import Demand, Plan, plan
from lauedepth.pipeline.protocols import (
    Item,
    JobReport,
    JobRequest,
    JobState,
    Member,
    Recipe,
    Scheduler,
    Sighting,
    Source,
    Transfer,
)

__all__ = [
    "Demand",
    "Item",
    "JobReport",
    "JobRequest",
    "JobState",
    "Member",
    "Plan",
    "Recipe",
    "Scheduler",
    "Sighting",
    "Source",
    "Transfer",
    "plan",
]

"""The durable engine: which step of which point is done survives any crash.

The only module that knows DBOS. A workflow is one run of one point; its steps are recorded in the
catalog's own database, and what was running is taken up again at the next launch. Steps may run
more than once, so each looks before it acts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID

from lauedepth.pipeline.catalog import Catalog, plain_cause
from lauedepth.pipeline.errors import CatalogError

T = TypeVar("T")

FLOW_VERSION: Final = "lauedepth-flow-1"
"""Changed only when the steps change: otherwise an edit of the code would strand running work."""

UNFINISHED: Final = ["PENDING", "ENQUEUED"]


class StepRunner(Protocol):
    """Runs a step, or returns what it returned when it ran before."""

    def __call__(self, name: str, function: Callable[[], T]) -> T:
        """Run `function` once per run of a point, as far as anyone can tell."""


class Engine:
    """DBOS, kept to this machine: no conductor, no telemetry, no server.

    Parameters
    ----------
    catalog : Catalog
        Its database also holds the engine's tables.
    process : callable
        ``process(point_id, run, step)``: the work on one point.
    """

    def __init__(self, catalog: Catalog, process: Callable[[int, int, StepRunner], None]) -> None:
        self._prefix = catalog.meta("id")
        config: DBOSConfig = {
            "name": "lauedepth",
            "system_database_engine": catalog.engine,
            "application_version": FLOW_VERSION,
            "executor_id": "driver",
            "enable_otlp": False,
            "log_level": "CRITICAL",
            "use_listen_notify": False,
            "notification_listener_polling_interval_sec": 0.5,
        }
        DBOS(config=config)
        logging.getLogger("dbos").propagate = False

        @DBOS.workflow(name="point", max_recovery_attempts=1_000_000)
        def work(point_id: int, run: int) -> None:
            process(point_id, run, _step)

        self._work = work

    def launch(self) -> set[tuple[int, int]]:
        """Take up what was running and return it as (point, run).

        Runs of another version of the steps are called off: the point then starts a new run.
        """
        DBOS.launch()
        resumed = set()
        for workflow in DBOS.list_workflows(status=UNFINISHED, name="point", load_input=False):
            prefix, point, run = workflow.workflow_id.rsplit("-", 2)
            if workflow.app_version == FLOW_VERSION and prefix == self._prefix:
                resumed.add((int(point), int(run)))
            else:
                DBOS.cancel_workflow(workflow.workflow_id)
        return resumed

    def start(self, point_id: int, run: int) -> None:
        """Begin a run of a point in the background.

        Raises
        ------
        CatalogError
            If the engine's tables cannot be written.
        """
        try:
            with SetWorkflowID(f"{self._prefix}-{point_id}-{run}"):
                DBOS.start_workflow(self._work, point_id, run)
        except Exception as error:
            raise CatalogError(f"the engine cannot begin work ({plain_cause(error)})") from error

    def close(self) -> None:
        """Stop the engine; runs that are not done are taken up at the next launch."""
        DBOS.destroy(destroy_registry=True)


def _step(name: str, function: Callable[[], T]) -> T:
    result: Any = DBOS.run_step({"name": name}, function)
    return result  # type: ignore[no-any-return]

"""The durable engine: a record of the steps done for each point that survives any crash.

The only module that uses DBOS. A workflow is one run of one point; its steps are recorded in the
catalog's own database, and unfinished workflows resume at the next launch. A step may run more
than once, so each checks before it acts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID

from lauedepth.pipeline.catalog import Catalog, plain_cause
from lauedepth.pipeline.errors import CatalogError

T = TypeVar("T")

FLOW_VERSION: Final = "lauedepth-flow-2"
"""Changed only when the steps change: otherwise any edit would strand unfinished work."""

UNFINISHED: Final = ["PENDING", "ENQUEUED"]


class StepRunner(Protocol):
    """Runs a step, or returns the result of its earlier run."""

    def __call__(self, name: str, function: Callable[[], T]) -> T:
        """Run `function`, or return its recorded result if it ran before."""


class Engine:
    """DBOS, confined to this machine: no conductor, no telemetry, no server.

    Parameters
    ----------
    catalog : Catalog
        Its database also holds the engine's tables.
    process : callable
        ``process(point_id, run, step)``: processes one point.
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
        """Resume unfinished runs and return them as (point, run).

        Runs of another version of the steps are cancelled: the point then starts a new run.

        Raises
        ------
        CatalogError
            If the engine's tables cannot be made, read or written.
        """
        try:
            return self._launch()
        except Exception as error:
            raise CatalogError(f"the engine cannot start ({plain_cause(error)})") from error

    def _launch(self) -> set[tuple[int, int]]:
        DBOS.launch()
        resumed = set()
        for workflow in DBOS.list_workflows(status=UNFINISHED, name="point", load_input=False):
            prefix, point, run = workflow.workflow_id.rsplit("-", 2)
            if workflow.app_version == FLOW_VERSION and prefix == self._prefix:
                resumed.add((int(point), int(run)))
            else:
                DBOS.cancel_workflow(workflow.workflow_id)
        return resumed

    def has_ended(self, point_id: int, run: int) -> bool:
        """Return whether a run will not start any more, here or in another driver.

        Raises
        ------
        CatalogError
            If the engine's tables cannot be read.
        """
        try:
            found = DBOS.get_workflow_status(self._name(point_id, run))
        except Exception as error:
            raise CatalogError(f"the engine cannot be asked ({plain_cause(error)})") from error
        return found is not None and found.status not in UNFINISHED

    def _name(self, point_id: int, run: int) -> str:
        return f"{self._prefix}-{point_id}-{run}"

    def start(self, point_id: int, run: int) -> None:
        """Start a run of a point in the background.

        Raises
        ------
        CatalogError
            If the engine's tables cannot be written.
        """
        try:
            with SetWorkflowID(self._name(point_id, run)):
                DBOS.start_workflow(self._work, point_id, run)
        except Exception as error:
            raise CatalogError(f"the engine cannot start work ({plain_cause(error)})") from error

    def close(self) -> None:
        """Stop the engine; unfinished runs resume at the next launch."""
        DBOS.destroy(destroy_registry=True)


def _step(name: str, function: Callable[[], T]) -> T:
    result: Any = DBOS.run_step({"name": name}, function)
    return result  # type: ignore[no-any-return]

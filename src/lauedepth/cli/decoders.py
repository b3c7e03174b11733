"""What commands report of the backend that decodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.markup import escape

from lauedepth.cli.reporting import Reporter, facts

if TYPE_CHECKING:
    from lauedepth.config import ExperimentConfig
    from lauedepth.core.decoding.registry import Choice, PassedOver


def report_passed_over(reporter: Reporter, backends: Iterable[PassedOver]) -> None:
    """Show in a line each which backends "auto" could not take, and why."""
    for one in backends:
        values = {"backend": one.name, "reason": one.reason}
        text = f"[dim]backend {one.name} is not used: {escape(one.reason)}[/]"
        reporter.show("passed_over", values, text)


def report_decoder(reporter: Reporter, choice: Choice, config: ExperimentConfig) -> None:
    """Show what a check finds out about a backend: what it was taken for, its device's memory."""
    report_passed_over(reporter, choice.passed_over)
    memory = choice.decoder.device_memory(config.to_core(), config.decode_options())
    if memory is None:
        return
    batches = f"{memory.streams} batches" if memory.streams > 1 else "one batch"
    memory_text = (
        f"up to {memory.needed_bytes / 2**30:.1f} GiB of {memory.free_bytes / 2**30:.1f} GiB free, "
        f"for {batches} of {memory.batch_pixels} pixels at once"
    )
    reporter.show("device", vars(memory), facts({"memory of the GPU": memory_text}))

"""The page on file formats, from the layout tables: ``python -m lauedepth.io.format_docs``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lauedepth.io.layout import LAYOUTS, Entry, Layout

_INTRODUCTION: Final = """# File formats

This page is made from the layout tables in `src/lauedepth/io/layout.py`, which the writers, the
readers and `lauedepth validate` use too: `python -m lauedepth.io.format_docs docs/file-formats.md`.

What this program writes, the beamline's C readers can read: whole-number scalars are int32, text
is of fixed length and ends in a NUL, compression is plain gzip or none, and `file_time` is copied
unchanged. A file is written as `NAME.partial`, checked, and then renamed; a leftover `.partial`
is of a writer that was killed and may be deleted.

An input is refused if it is damaged or still open for writing, or if any link, virtual dataset
or external storage in it leads to another file. Where the ROI is not given, the image is taken to
hold the whole detector. A frame whose chunk was never stored, or whose file is missing from a
series, is a lost frame.
"""

_EXPERIMENT: Final = """
## Experiment

YAML, with units in the names; its JSON Schema is
`src/lauedepth/config/experiment.schema.json`. Files that it names (`detector.geometry_file`, a
`.npy` `aperture.code`) are relative to its folder. The published program's layout (`file`,
`comp`, `geo`, `algo`) is read too, and told apart by its key `geo`. In that one, `shift` is in
mm, `range` is [first, stop, step] in frames, `grid` is [start, stop, step] in mm, and `frame` is
[first row, stop row, first column, stop column]; effects that this program does not model
(`smoothness`, `alpha`, `stretch`, `offset`) are refused unless they are off.

```yaml
data: {key: entry1/data/data, first_frame: 0, stop_frame: 541, stride: 1}
selection: {min_mean_counts: 20, rows_px: [0, 2048], columns_px: [0, 2048]}
detector:  # or {geometry_file: geoN.xml, index: 0}
  shape_px: [2048, 2048]
  size_mm: [409.6, 409.6]
  rotation_rad: [-1.2016, -1.2140, -1.2185]
  translation_mm: [28.8, 2.7, 513.0]
aperture: {code: prefer-same-8, open_width_um: 15, bar_width_um: 7.5, thickness_um: 3.7}
pose:
  {cenx_mm: 0.44, dist_mm: 1.61, cenz_mm: 0.75, anglex_deg: 0.1, angley_deg: -0.5, anglez_deg: 43.8}
motion: {step_um: 0.5, shift_mm: 0.21, rotation_rad: [0.0045, -0.00684, -3.375e-5]}
depths: {start_um: -200, stop_um: 200, step_um: 1}
decode: {method: footprint, energy: {start_kev: 5, stop_kev: 30}}
```

Geometry files are geoN XML, malformed comments and any namespace included, or the older list of
`$key value`.
"""


def file_formats() -> str:
    """Return the page, Markdown."""
    return _INTRODUCTION + "".join(_section(layout) for layout in LAYOUTS) + _EXPERIMENT


def _section(layout: Layout) -> str:
    lines = [
        f"\n## {layout.title}\n",
        f"{layout.about}\n",
        "| path | holds | axes | units | |",
        "|---|---|---|---|---|",
        *(_row(entry) for entry in layout.entries),
    ]
    return "\n".join(lines) + "\n"


def _row(entry: Entry) -> str:
    axes = f"({', '.join(entry.axes)})" if entry.axes else ""
    fixed = "".join(f", {name}=`{value}`" for name, value in entry.attributes)
    optional = "" if entry.required else " (if known)"
    holds = f"{entry.kind}{fixed}"
    return (
        f"| `{entry.path or '/'}` | {holds} | {axes} | {entry.units} | {entry.meaning}{optional} |"
    )


def main(path: str) -> None:
    """Write the page."""
    Path(path).write_text(file_formats(), encoding="utf-8")


if __name__ == "__main__":
    import sys

    main(sys.argv[1])

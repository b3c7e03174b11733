"""Generates the page on file formats: ``python -m lauedepth.io.format_docs PATH``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lauedepth.io.layout import LAYOUTS, Entry, Layout

_INTRODUCTION: Final = """# File formats

This page is generated from the layout tables in `src/lauedepth/io/layout.py`, which the writers,
the readers and `lauedepth validate` also use. To regenerate it, run
`python -m lauedepth.io.format_docs docs/file-formats.md`.

All files that this program writes can be read by the beamline's C readers: integer scalars are
int32, text has a fixed length and ends with a NUL, compression is plain gzip or none, and
`file_time` is copied unchanged. A file is first written as `NAME.partial`, then checked and
renamed. A leftover `.partial` file comes from a writer that was killed and may be deleted.

An input is rejected if it is damaged or still open for writing. Links, virtual datasets and the
parts of an Eiger master file (`data.key: entry/data`) are followed within the file's folder and
below it. Those that lead elsewhere are rejected, and so is raw external storage. All filters of
HDF5 and hdf5plugin are read. A chunk that unpacks to another length than it should is damage.

The region of the detector that an image covers is read from `entry1/detector`, through any links,
or taken from `data.region` (`start_px`, `size_px`, `binning`) in the experiment. If neither states
it, an image of the detector's size covers the whole detector, and any other image is rejected.
Metadata are copied unchanged, whether they hold one value or one per frame.

A frame is lost if its chunk was never stored, if its file is missing from a series, or if its part
of a virtual dataset is missing; also if it is empty, or constant, among lit frames, repeats the
frame before, noise and all, or holds no valid readings. `data.lost_frames` lists frames that were
never stored (numbers or [start, stop); the stored images are the others, in order),
`data.ignored_frames` lists stored frames to leave out, and `data.leading_images` is the number of
images before the first frame. A warning names every lost frame.

Readings are converted to counts by `detector.counts_per_photon`, `offset`, `dark` and `flat`:
(reading - offset - dark) / (counts_per_photon * flat). Readings that reach
`detector.saturation_counts` (by default the maximum of the integer type, or 65535 for floating
point), negative readings and NaN are not measurements. `detector.mask` is an image whose non-zero
pixels are excluded.
"""

_EXPERIMENT: Final = """
## Experiment

YAML, with units in the names; its JSON Schema is
`src/lauedepth/config/experiment.schema.json`. Files that it names (`detector.geometry_file`, a
`.npy` `aperture.code` or `selection.mask`) are relative to its folder. Frames are numbered from 0,
the first frame of the file or series; `motion.shift_mm` is where the aperture stands at that frame,
used or not, and `motion.step_um` is its advance from one frame of the file to the next. The
published program's layout (`file`, `comp`, `geo`, `algo`) is also read, and is recognised by its
key `geo`: see [published-configurations.md](published-configurations.md).

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

Geometry files may be geoN XML, with any namespace and even with malformed comments, or the older
list of `$key value`. Crystal files are XML (`.xtal`, `.xml`; positions may be fractions such as
`1/4`) or the older list of `$key value` (`.xtl`).
"""


def file_formats() -> str:
    """Return the page as Markdown."""
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

"""The file formats, one table each, used by writers, readers, the validator and the docs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

Kind = Literal["group", "text", "int32", "uint8", "float32", "float64", "image", "number"]
"""What an entry holds. "image" and "number" are any plain number type up to 64 bits."""


@dataclass(frozen=True)
class Entry:
    """One group or dataset of a format.

    Attributes
    ----------
    path : str
        Path from the root, without a leading slash; "" is the root.
    kind : Kind
    meaning : str
        Description for the documentation.
    axes : tuple of str
        Names of the axes, () for a scalar. Axes of one name are equally long in a file.
    units : str
        Value of the attribute ``units``, if any.
    required : bool
    attributes : tuple of (str, str)
        Further attributes with fixed values.
    since : int
        First version of the format that requires it.
    """

    path: str
    kind: Kind
    meaning: str
    axes: tuple[str, ...] = ()
    units: str = ""
    required: bool = True
    attributes: tuple[tuple[str, str], ...] = ()
    since: int = 1


@dataclass(frozen=True)
class Layout:
    """A file format.

    Attributes
    ----------
    name, title, about : str
    entries : tuple of Entry
    c_readable : bool
        Whether the file uses only what the beamline's C readers can read.
    """

    name: str
    title: str
    about: str
    entries: tuple[Entry, ...]
    c_readable: bool = True

    def __getitem__(self, path: str) -> Entry:
        for entry in self.entries:
            if entry.path == path:
                return entry
        raise KeyError(path)

    def below(self, group: str) -> tuple[Entry, ...]:
        """Return the entries directly within a group, in order."""
        prefix = f"{group}/"
        return tuple(
            entry
            for entry in self.entries
            if entry.path.startswith(prefix) and "/" not in entry.path[len(prefix) :]
        )


DATA: Final = "entry1/data/data"
DEPTH: Final = "entry1/depth"
DETECTOR: Final = "entry1/detector"
SAMPLE: Final = "entry1/sample"
RECONSTRUCTION: Final = "entry1/reconstruction"
INSTRUMENT: Final = f"{RECONSTRUCTION}/instrument"
NOTICES: Final = f"{RECONSTRUCTION}/notices"
VERDICT: Final = f"{RECONSTRUCTION}/verdict"
PIXELS: Final = "entry1/pixels"
WIRE: Final = "entry1/wire"
ROW: Final = "entry1/data/row"
COLUMN: Final = "entry1/data/column"

RESULT_FORMAT: Final = "lauedepth result"
RESULT_VERSION: Final = 2
"""Of the format of results: 2 has axes and maps; files without a version are of version 1."""

MAPS: Final = ("depth", "depth_error", "width", "intensity", "energy", "residual", "status")
"""Columns of the table of pixels that a result holds as images, too."""


def map_group(name: str) -> str:
    """Return the group of a map."""
    return f"entry1/{name}_map"


RESULT_PARTS: Final = (
    "entry1/data",
    DEPTH,
    PIXELS,
    RECONSTRUCTION,
    *(map_group(one) for one in MAPS),
)
"""What belongs to a result itself, and not to the point that it was made from."""


def _group(path: str, nx_class: str, meaning: str, *attributes: tuple[str, str]) -> Entry:
    return Entry(path, "group", meaning, attributes=(("NX_class", nx_class), *attributes))


def _region_entries() -> tuple[Entry, ...]:
    descriptions = {
        "Nx": "unbinned columns of the whole detector",
        "Ny": "unbinned rows of the whole detector",
        "startx": "first unbinned column of the image",
        "endx": "last unbinned column of the image, inclusive",
        "groupx": "unbinned columns per image column",
        "binx": "the same, under its other name",
        "starty": "first unbinned row of the image",
        "endy": "last unbinned row of the image, inclusive",
        "groupy": "unbinned rows per image row",
        "biny": "the same, under its other name",
    }
    return tuple(
        Entry(f"{DETECTOR}/{name}", "int32", meaning, required=False)
        for name, meaning in descriptions.items()
    )


def _instrument_entries() -> tuple[Entry, ...]:
    """Return what a result keeps of an instrument that was learnt from the point."""
    edges, frames, places = ("edges",), ("frames_used",), ("code_places",)
    misfits, held = ("misfit_places",), ("pixels_held_out",)
    group = replace(
        _group(INSTRUMENT, "NXcollection", "the instrument as learnt from the point"),
        required=False,
    )
    table: tuple[tuple[str, Kind, str, tuple[str, ...], str], ...] = (
        ("edges_um", "float64", "begin and end of each bar, along the code", edges, "micron"),
        ("edge_offset_um", "float64", "from the design, beyond the widening", edges, "micron"),
        ("edge_error_um", "float64", "its standard error", edges, "micron"),
        ("widening_um", "float64", "how much wider the bars are", (), "micron"),
        ("widening_error_um", "float64", "its standard error", (), "micron"),
        ("thickness_factor", "float64", "how much thicker the bars are, as a factor", (), ""),
        ("thickness_error", "float64", "its standard error", (), ""),
        ("position_um", "float64", "aperture from its place, along the scan", frames, "micron"),
        ("position_error_um", "float64", "its standard error", frames, "micron"),
        ("log_beam", "float64", "log of the incident beam's relative intensity", frames, ""),
        ("log_beam_error", "float64", "its standard error", frames, ""),
        ("opaque", "int32", "1 where bars were taken to stop everything", (), ""),
        ("departed", "text", "parts that stand out of their errors", (), ""),
        ("misfit_before", "float64", "chi-square per degree of freedom as designed", (), ""),
        ("misfit_after", "float64", "the same as learnt, on pixels held out", (), ""),
        ("gain_sigma", "float64", "gain on pixels held out, in standard errors", (), ""),
        ("accepted", "int32", "1 where the point was decoded with it", (), ""),
        ("edges_seen", "float64", "part of the edges that the traces tell", (), ""),
        ("pixels_used", "int32", "pixels that it was learnt from", (), ""),
        ("pixels_held_out", "int32", "pixels that judged it", (), ""),
        ("held_out_before", "float64", "chi-square per freedom of each, as designed", held, ""),
        ("held_out_after", "float64", "the same as learnt", held, ""),
        ("rounds", "int32", "rounds over all pixels", (), ""),
        ("code_um", "float64", "places along the code, as pixels' mask_position", places, "micron"),
        ("depth_error_um", "float64", "what it adds to depth errors there", places, "micron"),
        ("misfit_code_um", "float64", "places along the code", misfits, "micron"),
        ("misfit_variance", "float64", "left over there beyond noise, per light²", misfits, ""),
        ("points", "text", "points that told of the aperture, one a line", (), ""),
        ("contradicted", "int32", "1 where this point contradicted those before it", (), ""),
        ("warnings", "text", "one a line", (), ""),
    )
    return (
        group,
        *(
            Entry(f"{INSTRUMENT}/{name}", kind, meaning, axes, units, False)
            for name, kind, meaning, axes, units in table
        ),
    )


def _map_entries() -> tuple[Entry, ...]:
    """Return the images that viewers show: the depth first, it is the file's default."""
    table: tuple[tuple[str, Kind, str, str], ...] = (
        ("depth", "float32", "depth of each pixel's light, the stronger of two", "micron"),
        ("depth_error", "float32", "its standard error", "micron"),
        ("width", "float32", "full width of the footprint", "micron"),
        ("intensity", "float32", "intensity", "counts"),
        ("energy", "float32", "photon energy", "keV"),
        ("residual", "float32", "chi-square per degree of freedom", ""),
        ("status", "uint8", "outcome of decoding (PixelStatus); 0 where not examined", ""),
    )
    entries = []
    for name, kind, meaning, units in table:
        group = map_group(name)
        about = f"{name.replace('_', ' ')} over the image, with the axes row and column"
        always = name != "energy"
        entries += [
            replace(_group(group, "NXdata", about, ("signal", name)), required=always, since=2),
            Entry(f"{group}/{name}", kind, meaning, ("rows", "columns"), units, always, since=2),
        ]
    return tuple(entries)


def _metadata_entries() -> tuple[Entry, ...]:
    stage = tuple(
        Entry(f"{SAMPLE}/sample{axis}", "float64", f"sample stage {axis}", (), "micron", False)
        for axis in "XYZ"
    )
    return (
        replace(_group(DETECTOR, "NXdetector", "the detector and its ROI"), required=False),
        Entry(f"{DETECTOR}/ID", "text", "identity of the detector", required=False),
        *_region_entries(),
        replace(_group(SAMPLE, "NXsample", "the sample and its stage"), required=False),
        *stage,
    )


_ENTRY = _group("entry1", "NXentry", "the measurement")
_ROOT = Entry("", "group", "the file", attributes=(("default", "entry1"),))
_SIGNAL = ("signal", "data")

POINT: Final = Layout(
    "point",
    "Point, as one stack",
    "One scan point: every frame of the aperture scan. All other beamline metadata is kept.",
    (
        replace(_group("entry1", "NXentry", "the measurement"), required=False),
        replace(_group("entry1/data", "NXdata", "the images"), required=False),
        Entry(DATA, "image", "counts", ("frames", "rows", "columns")),
        *_metadata_entries(),
    ),
    c_readable=False,
)

FRAME: Final = Layout(
    "frame",
    "Point, as a folder of frames",
    "One frame in each file `NAME_N.h5`. A missing number is a lost frame.",
    tuple(
        replace(entry, axes=("rows", "columns")) if entry.path == DATA else entry
        for entry in POINT.entries
    ),
    c_readable=False,
)

_COLUMN = ("pixel_rows",)

RESULT: Final = Layout(
    "result",
    "Result of a point",
    "Depth-resolved images and the table of pixels. The input's metadata is copied.",
    (
        _ROOT,
        _ENTRY,
        _group("entry1/data", "NXdata", "what viewers plot", _SIGNAL),
        Entry(
            DATA,
            "float32",
            "intensity from each depth, in counts per frame with no bar in the beam; chunks that "
            "contain only zeros are not stored",
            ("depths", "rows", "columns"),
            "counts",
        ),
        Entry(DEPTH, "float64", "depth along the beam", ("depths",), "micron"),
        Entry(
            "entry1/data/depth",
            "float64",
            "the same dataset as entry1/depth (hard link)",
            ("depths",),
            "micron",
        ),
        Entry(
            ROW,
            "float64",
            "row of the whole detector, unbinned, at the middle of each pixel",
            ("rows",),
            since=2,
        ),
        Entry(COLUMN, "float64", "the same of columns", ("columns",), since=2),
        *_map_entries(),
        Entry("entry1/title", "text", "name of the point", required=False),
        Entry(
            "entry1/start_time",
            "text",
            "when the point was measured (ISO 8601), where the beamline's `file_time` says it",
            required=False,
        ),
        replace(
            _group("entry1/instrument", "NXinstrument", "holds `detector`, a link to it"),
            required=False,
        ),
        _group(RECONSTRUCTION, "NXprocess", "how the result was made"),
        Entry(f"{RECONSTRUCTION}/program", "text", "lauedepth"),
        Entry(f"{RECONSTRUCTION}/version", "text", "its version"),
        Entry(f"{RECONSTRUCTION}/backend", "text", "the backend that decoded"),
        Entry(f"{RECONSTRUCTION}/configuration", "text", "the whole experiment, JSON"),
        Entry(f"{RECONSTRUCTION}/timings", "text", "seconds per step, JSON"),
        # Not required: results of earlier versions have none.
        Entry(
            NOTICES,
            "text",
            "notes and warnings on the experiment and the point; one JSON object per line with "
            "`level` (note or warning), `code`, `what`, `where` and `remedy`",
            required=False,
        ),
        Entry(
            VERDICT,
            "text",
            "how good the depths are, JSON: `chosen` and `lit` pixels, shares of the lit ones "
            "`decoded` and `ambiguous`, shares of the decoded ones with a `second` depth and "
            "`at_end` of the depth range, median `residual`",
            required=False,
        ),
        *_instrument_entries(),
        _group(PIXELS, "NXcollection", "one row per examined pixel and depth found"),
        Entry(f"{PIXELS}/row", "int32", "image row", _COLUMN),
        Entry(f"{PIXELS}/column", "int32", "image column", _COLUMN),
        Entry(f"{PIXELS}/status", "uint8", "outcome of decoding (PixelStatus)", _COLUMN),
        Entry(f"{PIXELS}/flags", "uint8", "flags, as bits (PixelFlag)", _COLUMN),
        Entry(f"{PIXELS}/depth", "float32", "centroid of the footprint", _COLUMN, "micron"),
        Entry(f"{PIXELS}/depth_error", "float32", "its standard error", _COLUMN, "micron"),
        Entry(f"{PIXELS}/width", "float32", "full width of the footprint", _COLUMN, "micron"),
        Entry(
            f"{PIXELS}/intensity",
            "float32",
            "counts per frame with no bar in the way; without the light that passes bars where "
            "the background is not known",
            _COLUMN,
            "counts",
        ),
        Entry(
            f"{PIXELS}/background",
            "float32",
            "counts per frame that do not pass through the aperture; with the light that passes "
            "bars where the background is not known",
            _COLUMN,
            "counts",
        ),
        Entry(
            f"{PIXELS}/background_error",
            "float32",
            "its standard error, from unlit pixels near; NaN where they tell nothing",
            _COLUMN,
            "counts",
            since=2,
        ),
        Entry(
            f"{PIXELS}/mask_position",
            "float32",
            "coordinate along the code at frame 0, for this depth",
            _COLUMN,
            "micron",
        ),
        Entry(
            f"{PIXELS}/energy", "float32", "photon energy; NaN where not determined", _COLUMN, "keV"
        ),
        Entry(f"{PIXELS}/residual", "float32", "chi-square per degree of freedom", _COLUMN),
        *_metadata_entries(),
    ),
)

EXPORT: Final = Layout(
    "export",
    "Per-depth image for LaueGo and laueanalysis",
    "One image per depth, `NAME_I.h5`. The input's metadata is copied, `entry1/wire` dropped.",
    (
        _group("entry1", "NXentry", "the measurement"),
        _group("entry1/data", "NXdata", "the image", _SIGNAL),
        Entry(DATA, "float32", "intensity from this depth", ("rows", "columns"), "counts"),
        Entry(DEPTH, "float64", "depth of the image", ("1",), "micron"),
        *_metadata_entries(),
    ),
)

LAYOUTS: Final = (POINT, FRAME, RESULT, EXPORT)

"""What is fuzzed: a good file of each kind that users give, and how the program reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import yaml

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Attributes
    ----------
    suffix : str
        Of its name.
    make : callable
        Writes a good file.
    read : callable
        Reads a file as the program does.
    """

    suffix: str
    make: Callable[[Path], None]
    read: Callable[[Path], object]


def _make_point(path: Path) -> None:
    with h5py.File(path, "w") as file:
        frames = np.random.default_rng(0).integers(0, 999, (20, 16, 16), np.uint16)
        file.create_dataset("entry1/data/data", data=frames, chunks=(4, 16, 16), compression=1)
        for axis in "xy":
            file[f"entry1/detector/start{axis}"] = 100
            file[f"entry1/detector/end{axis}"] = 115
        file["entry1/sample/sampleX"] = 1.5


def _read_point(path: Path) -> None:
    from lauedepth.io import open_point

    with open_point(path) as point:
        point.read_rows(0, 4)
        point.mean_image()


def _look_at_point(path: Path) -> None:
    from lauedepth.pipeline.protocols import Member
    from lauedepth.pipeline.sources.frames import count_frames

    status = path.stat()
    member = Member(path.name, status.st_size, status.st_mtime_ns)
    count_frames(path.parent, member, "entry1/data/data")


def _make_result(path: Path) -> None:
    from lauedepth.core.decoding.pixels import DecodedPixels
    from lauedepth.core.instrument.experiment import Depths
    from lauedepth.core.notices import note
    from lauedepth.io import write_result

    each = np.arange(4, dtype=np.int64)
    names = (
        "depth_um depth_error_um width_um intensity background background_error "
        "mask_position_um energy_kev"
    )
    found = DecodedPixels(
        trace=each,
        status=np.zeros(4, np.uint8),
        flags=np.zeros(4, np.uint8),
        footprint_offset=np.arange(0, 15, 3, dtype=np.int64),
        footprint_start=each.astype(np.int32),
        footprint=np.ones(12, np.float32),
        **dict.fromkeys([*names.split(), "residual"], each.astype(np.float64) + 1.0),
    )
    with write_result(
        path,
        depths=Depths(0.0, 16.0, 2.0),
        shape=(8, 8),
        configuration="{}",
        backend="cpu",
        metadata={"entry1/scanNum": np.array(7)},
    ) as writer:
        writer.add(0, 8, each * 2, each, found)
        writer.finish({"read": 1.5}, [note("keys-ignored", "one key is ignored", "a.yml", "")])


def _read_result(path: Path) -> None:
    from lauedepth.io import read_result
    from lauedepth.io.validate import validate_file

    validate_file(path)
    read_result(path)


def _use_result(path: Path) -> None:
    from lauedepth.io import export_depths, read_result

    found = read_result(path)
    found.sums()
    found.instrument()
    with TemporaryDirectory() as folder:
        export_depths(path, folder, compress=False)


def _make_truth(path: Path) -> None:
    from lauedepth.simulation import TRUTH
    from lauedepth.tasks.simulate.scan_files import write_truth

    write_truth(path, np.ones(7, TRUTH))


def _read_truth(path: Path) -> None:
    from lauedepth.tasks.simulate.scan_files import read_truth

    read_truth(path)


def _make_geometry(path: Path) -> None:
    from lauedepth.config import Geometry, write_geometry
    from lauedepth.core.instrument.experiment import Detector

    place = ((2048, 1024), (409.6, 204.8), (-1.2, -1.3, -1.4), (28.8, 2.7, 513.0), "PE 1")
    write_geometry(path, Geometry({0: Detector(*place)}, None))


def _read_geometry(path: Path) -> None:
    from lauedepth.config import read_geometry

    read_geometry(path)


def _make_crystal(path: Path) -> None:
    path.write_text(
        '<?xml version="1.0"?><cif><chemical_name_common>quartz</chemical_name_common>'
        "<space_group><IT_number>154</IT_number></space_group>"
        '<cell><a unit="angstrom">4.9137</a><b>4.9137</b><c unit="nm">0.54047</c>'
        "<alpha>90</alpha><beta>90</beta><gamma>120</gamma></cell>"
        "<atom_site><label>Si1</label><symbol>Si</symbol><fract>0.4697 0 0.6667</fract>"
        "<occupancy>0.98</occupancy></atom_site></cif>"
    )


def _read_crystal(path: Path) -> None:
    from lauedepth.config.crystal_xml import read_crystal

    read_crystal(path)


def _make_experiment(path: Path) -> None:
    path.write_text((ROOT / "examples" / "experiment.yml").read_text())


def _read_experiment(path: Path) -> None:
    from lauedepth.config import load_experiment

    load_experiment(path)


def _make_settings(path: Path) -> None:
    content = {"layout": "file", "frames": 20, "poll_s": 0.5, "commands": [["a", "{point}"]]}
    path.write_text(yaml.safe_dump(content))


def _read_settings(path: Path) -> None:
    from lauedepth.pipeline.settings import read_settings

    read_settings(path)


def _make_code(path: Path) -> None:
    np.save(path, np.tile([0, 1, 1, 0], 64).astype(np.uint8))


def _read_code(path: Path) -> None:
    from lauedepth.config.aperture import read_code

    read_code(path)


def _make_log(path: Path) -> None:
    path.write_text("frame,monitor\n" + "".join(f"{i},{1000 + i}\n" for i in range(20)))


def _read_log(path: Path) -> None:
    from lauedepth.io.frame_log import read_log_column

    read_log_column(path, "monitor", 20)


def _make_instrument(path: Path) -> None:
    from lauedepth.core.instrument.known import KnownAperture
    from lauedepth.io.instrument import write_instrument

    known = KnownAperture('{"code": [1, 0]}', True, ("/a/one.h5",), np.eye(6), np.ones(6))
    write_instrument(path, known, {"edges_um": np.arange(4.0)})


def _read_instrument(path: Path) -> None:
    from lauedepth.io.instrument import read_instrument

    read_instrument(path)


def _make_catalog(path: Path) -> None:
    from lauedepth.pipeline.catalog import Catalog, SourceRow, catalog_url
    from lauedepth.pipeline.protocols import Member, Sighting

    catalog = Catalog(catalog_url(str(path)), create=True)
    row = SourceRow(0, "/data", "file", ".done", False, "d", 0, 0, 0, False)
    source = catalog.add_source(row)
    seen = [(Sighting(f"p_{n}.h5", (Member(f"p_{n}.h5", 10, 1),)), 1) for n in range(3)]
    catalog.add_points(source, seen, 0)
    catalog.beat(pid=1, host="here", since=1.0, slots=2, notice="")
    with catalog.engine.connect() as connection:
        connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
    catalog.close()


def _read_catalog(path: Path) -> None:
    from lauedepth.pipeline.catalog import Catalog, catalog_url
    from lauedepth.pipeline.status import status

    catalog = Catalog(catalog_url(str(path)))
    try:
        status(catalog).text()
    finally:
        catalog.close()


TARGETS = {
    "point": Target(".h5", _make_point, _read_point),
    "arrival": Target(".h5", _make_point, _look_at_point),
    "result": Target(".h5", _make_result, _read_result),
    "used result": Target(".h5", _make_result, _use_result),
    "truth": Target(".h5", _make_truth, _read_truth),
    "instrument": Target(".h5", _make_instrument, _read_instrument),
    "geometry": Target(".xml", _make_geometry, _read_geometry),
    "crystal": Target(".xml", _make_crystal, _read_crystal),
    "experiment": Target(".yml", _make_experiment, _read_experiment),
    "settings": Target(".yml", _make_settings, _read_settings),
    "code": Target(".npy", _make_code, _read_code),
    "log": Target(".csv", _make_log, _read_log),
    "catalog": Target(".sqlite", _make_catalog, _read_catalog),
}

"""The beamline's geometry files: geoN XML and the older ``$key value`` list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lxml import etree

from lauedepth.config.xml_text import parse_xml
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.files import read_file
from lauedepth.core.instrument.experiment import Detector, Vector

NAMESPACE: Final = "http://sector34.xray.aps.anl.gov/34ide/geoN"

_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_TO_MM: Final = {"": 1.0, "mm": 1.0, "micron": 1e-3, "um": 1e-3, "cm": 10.0, "m": 1e3}
_TO_UM: Final = {unit: factor * 1e3 for unit, factor in _TO_MM.items()} | {
    "": 1.0,
    "micron": 1.0,
    "um": 1.0,
}
_TO_RAD: Final = {"": 1.0, "radian": 1.0, "rad": 1.0}


@dataclass(frozen=True)
class Wire:
    """The wire or knife edge of the beamline; its rotation is that of the scanner.

    Attributes
    ----------
    diameter_um : float
    knife : bool
        A wire on a knife edge, or a free-standing one.
    origin_um : Vector
        In raw positioner coordinates.
    rotation_rad : Vector
        Rodrigues vector of the positioner.
    axis : Vector
        Direction of the wire, close to (1, 0, 0) of the lab frame.
    f_um : float
        F of a constant-F scan, raw positioner units.
    """

    diameter_um: float
    knife: bool
    origin_um: Vector
    rotation_rad: Vector
    axis: Vector
    f_um: float


@dataclass(frozen=True)
class Geometry:
    """What a geometry file states.

    Attributes
    ----------
    detectors : mapping of int to Detector
        By the file's own numbering.
    wire : Wire or None
    """

    detectors: Mapping[int, Detector]
    wire: Wire | None = None


def read_geometry(path: Path | str) -> Geometry:
    """Read a geometry file, XML or key list.

    Parameters
    ----------
    path : Path or str

    Returns
    -------
    Geometry

    Raises
    ------
    ConfigurationError
        The file cannot be read, or a value is missing or no number.
    """
    path = Path(path)
    try:
        content = read_file(path)
    except OSError as error:
        raise ConfigurationError(
            f"cannot be read: {error.strerror}", str(path), "give a geometry file"
        ) from error
    text = content.removeprefix(b"\xef\xbb\xbf").strip()
    geometry = _from_xml(text, path) if text.startswith(b"<") else _from_keys(text, path)
    if not geometry.detectors:
        raise ConfigurationError("describes no detector", str(path), "give a geoN file")
    return geometry


def write_geometry(path: Path | str, geometry: Geometry) -> None:
    """Write a geometry as geoN XML, values exactly as they are held."""
    root = etree.Element("geoN", xmlns=NAMESPACE)
    group = etree.SubElement(root, "Detectors", Ndetectors=str(len(geometry.detectors)))
    for number, detector in sorted(geometry.detectors.items()):
        element = etree.SubElement(group, "Detector", N=str(number))
        _put(element, "Npixels", detector.shape)
        _put(element, "size", detector.size_mm, "mm")
        _put(element, "R", detector.rotation_rad, "radian")
        _put(element, "P", detector.translation_mm, "mm")
        etree.SubElement(element, "ID").text = detector.name
    if geometry.wire is not None:
        wire, element = geometry.wire, etree.SubElement(root, "Wire")
        _put(element, "dia", (wire.diameter_um,), "micron")
        _put(element, "Knife", (int(wire.knife),))
        _put(element, "Origin", wire.origin_um, "micron")
        _put(element, "R", wire.rotation_rad, "radian")
        _put(element, "Axis", wire.axis)
        _put(element, "F", (wire.f_um,), "micron")
    content = etree.tostring(root, pretty_print=True, xml_declaration=True, encoding="UTF-8")
    Path(path).write_bytes(content)


def _put(parent: etree._Element, tag: str, values: tuple[float, ...], unit: str = "") -> None:
    element = etree.SubElement(parent, tag, {"unit": unit} if unit else {})
    element.text = " ".join(repr(value) for value in values)


def _from_xml(content: bytes, path: Path) -> Geometry:
    root = parse_xml(content, path)
    if root.tag != "geoN":
        raise ConfigurationError(f"is a <{root.tag}> file, not <geoN>", str(path))
    detectors = {}
    for element in root.iterfind("Detectors/Detector"):
        number = element.get("N", "")
        if not _NUMBER.fullmatch(number):
            raise ConfigurationError(f"Detector has no number N ({number!r})", str(path))
        where = f"{path}: Detector {number}"
        detectors[int(number)] = Detector(
            shape=_pixels(_child(element, "Npixels", 2, {"": 1.0}, where), where),
            size_mm=_two(_child(element, "size", 2, _TO_MM, where)),
            rotation_rad=_three(_child(element, "R", 3, _TO_RAD, where)),
            translation_mm=_three(_child(element, "P", 3, _TO_MM, where)),
            name=(element.findtext("ID") or "").strip(),
        )
    wire = root.find("Wire")
    return Geometry(detectors, None if wire is None else _xml_wire(wire, f"{path}: Wire"))


def _xml_wire(element: etree._Element, where: str) -> Wire:
    plain = {"": 1.0}
    return Wire(
        diameter_um=_child(element, "dia", 1, _TO_UM, where)[0],
        knife=bool(_child(element, "Knife", 1, plain, where)[0]),
        origin_um=_three(_child(element, "Origin", 3, _TO_UM, where)),
        rotation_rad=_three(_child(element, "R", 3, _TO_RAD, where)),
        axis=_three(_child(element, "Axis", 3, plain, where)),
        f_um=_child(element, "F", 1, _TO_UM, where)[0],
    )


def _child(
    parent: etree._Element, tag: str, size: int, units: Mapping[str, float], where: str
) -> list[float]:
    element = parent.find(tag)
    if element is None:
        raise ConfigurationError(f"<{tag}> is missing", where)
    unit = element.get("unit", "")
    if unit not in units:
        known = ", ".join(filter(None, units))
        raise ConfigurationError(f"<{tag}> has the unknown unit '{unit}'", where, f"use {known}")
    return [value * units[unit] for value in _numbers(element.text or "", size, tag, where)]


def _from_keys(content: bytes, path: Path) -> Geometry:
    values: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        match = re.match(r"\$(\w+)\s*(.*)", line.strip())
        if match:
            values[match[1]] = re.split(r"(?:^|\s)//", match[2], maxsplit=1)[0].strip()
    if not values:
        raise ConfigurationError("is neither geoN XML nor a list of $keys", str(path))

    def get(key: str, size: int = 1) -> list[float]:
        if key not in values:
            raise ConfigurationError(f"${key} is missing", str(path))
        return _numbers(values[key], size, f"${key}", str(path))

    found = (re.fullmatch(r"d(\d+)_Nx", key) for key in values)
    detectors = {
        int(match[1]): Detector(
            shape=_pixels([*get(f"d{match[1]}_Nx"), *get(f"d{match[1]}_Ny")], str(path)),
            size_mm=_two([*get(f"d{match[1]}_sizeX"), *get(f"d{match[1]}_sizeY")]),
            rotation_rad=_three(get(f"d{match[1]}_R", 3)),
            translation_mm=_three(get(f"d{match[1]}_P", 3)),
            name=values.get(f"d{match[1]}_detectorID", ""),
        )
        for match in found
        if match
    }
    if "wireDia" not in values:
        return Geometry(detectors)
    wire = Wire(
        diameter_um=get("wireDia")[0],
        knife=bool(get("wireKnife")[0]),
        origin_um=_three(get("wireOrigin", 3)),
        rotation_rad=_three(get("wireRot", 3)),
        axis=_three(get("wireAxis", 3)),
        f_um=get("wireF")[0],
    )
    return Geometry(detectors, wire)


def _numbers(text: str, size: int, name: str, where: str) -> list[float]:
    parts = re.split(r"[\s,]+", text.strip().strip("{}").strip())
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != size or not all(abs(number) < float("inf") for number in numbers):
        raise ConfigurationError(f"{name} needs {size} number(s), has '{text.strip()}'", where)
    return numbers


def _pixels(values: list[float], where: str) -> tuple[int, int]:
    if any(value < 1 or value != int(value) for value in values):
        raise ConfigurationError(f"number of pixels cannot be {values}", where)
    return int(values[0]), int(values[1])


def _two(values: list[float]) -> tuple[float, float]:
    return values[0], values[1]


def _three(values: list[float]) -> Vector:
    return values[0], values[1], values[2]

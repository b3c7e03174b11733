"""Geometry files: the five real ones, against values picked out by hand; and damaged ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lauedepth.config import Geometry, Wire, read_geometry, write_geometry
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.experiment import Detector

GEOMETRY = """<?xml version="1.0" encoding="UTF-8" ?>
<geoN xmlns="http://example.com/geoN">
  <Detectors Ndetectors="2">
    <Detector N="0">
      <Npixels>2048 1024</Npixels>
      <size unit="mm">409.6 204.8</size>
      <R unit="radian">-1.2 -1.3 -1.4</R>
      <P unit="mm">28.8 2.7 513</P>
      <ID>PE 1</ID>
    </Detector>
    <Detector N="2">
      <Npixels>1024 1024</Npixels>
      <size unit="mm">204.8 204.8</size>
      <R unit="radian">0.1 0.2 0.3</R>
      <P unit="micron">1000 2000 3000</P>
      <ID>PE 2</ID>
    </Detector>
  </Detectors>
  <Wire>
    <dia unit="micron">52</dia><Knife>1</Knife><Origin unit="micron">1 2 3</Origin>
    <R unit="radian">0.0045 -0.015 -3.4e-5</R><Axis>1 0 0</Axis><F unit="micron">3750</F>
  </Wire>
</geoN>
"""

EXPECTED = Geometry(
    {
        0: Detector((2048, 1024), (409.6, 204.8), (-1.2, -1.3, -1.4), (28.8, 2.7, 513.0), "PE 1"),
        2: Detector((1024, 1024), (204.8, 204.8), (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), "PE 2"),
    },
    Wire(52.0, True, (1.0, 2.0, 3.0), (0.0045, -0.015, -3.4e-5), (1.0, 0.0, 0.0), 3750.0),
)


def _tag(text: str, tag: str) -> tuple[float, ...]:
    match = re.search(rf"<{tag}[ >][^<]*", text)
    assert match
    return tuple(float(number) for number in match[0].partition(">")[2].split())


def test_reads_every_real_geometry_and_writes_it_back(shared: Path, tmp_path: Path) -> None:
    files = sorted((shared / "data/geometry").iterdir())
    assert len(files) == 5
    for file in files:
        geometry = read_geometry(file)
        assert sorted(geometry.detectors) == [0, 1, 2]
        assert geometry.wire is not None
        copy = tmp_path / "geo.xml"
        write_geometry(copy, geometry)
        assert read_geometry(copy) == geometry
        if file.suffix == ".xml":
            parts = file.read_text().split("<Detector N=")[1:]
            for part, detector in zip(parts, geometry.detectors.values(), strict=True):
                assert _tag(part, "Npixels") == detector.shape
                assert _tag(part, "size") == detector.size_mm
                assert _tag(part, "R") == detector.rotation_rad
                assert _tag(part, "P") == detector.translation_mm


def test_xml_and_key_list_of_one_calibration_agree(shared: Path) -> None:
    folder = shared / "data/geometry"
    xml = read_geometry(folder / "geometry_2009_malformed_comments.xml")
    keys = read_geometry(folder / "geometry_2009_keylist.txt")
    assert xml.detectors == keys.detectors
    assert xml.wire == keys.wire
    assert keys.detectors[1].name == "PE0820 763-1807"
    assert keys.detectors[0].translation_mm == (23.644, -0.345, 510.902)


def test_reads_values_and_units(tmp_path: Path) -> None:
    file = tmp_path / "geo.xml"
    file.write_text(GEOMETRY)
    assert read_geometry(file) == EXPECTED


COMMENT_TEXT = st.text(st.characters(codec="ascii", exclude_characters="\x00"), max_size=20).filter(
    lambda text: "-->" not in text and text.isprintable()
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    comments=st.lists(
        st.tuples(st.integers(0, 14), st.sampled_from(["<!--", "<--"]), COMMENT_TEXT), max_size=6
    ),
    namespace=st.sampled_from(
        [
            "",
            ' xmlns="http:example.com/geoN"',
            ' xmlns="http://sector34.xray.aps.anl.gov/34ide/geoN"',
        ]
    ),
    newline=st.sampled_from(["\n", "\r\n", "\n\t"]),
)
def test_comments_namespaces_and_line_ends_change_nothing(
    tmp_path: Path, comments: list[tuple[int, str, str]], namespace: str, newline: str
) -> None:
    lines = GEOMETRY.replace(' xmlns="http://example.com/geoN"', namespace).splitlines()
    for line, opening, text in comments:
        lines[2 + line] += f"\t{opening} {text} -->"
    file = tmp_path / "geo.xml"
    file.write_bytes(newline.join(lines).encode())
    assert read_geometry(file) == EXPECTED


FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
VECTORS = st.tuples(FINITE, FINITE, FINITE)
DETECTORS = st.builds(
    Detector,
    st.tuples(st.integers(1, 10000), st.integers(1, 10000)),
    st.tuples(st.floats(1e-3, 1e4), st.floats(1e-3, 1e4)),
    VECTORS,
    VECTORS,
    st.text(st.characters(codec="utf-8", categories=["L", "N"]), max_size=10),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    detectors=st.dictionaries(st.integers(0, 9), DETECTORS, min_size=1, max_size=3),
    wire=st.none() | st.builds(Wire, FINITE, st.booleans(), VECTORS, VECTORS, VECTORS, FINITE),
)
def test_what_is_written_is_read_back_to_the_last_bit(
    tmp_path: Path, detectors: dict[int, Detector], wire: Wire | None
) -> None:
    geometry = Geometry(detectors, wire)
    write_geometry(tmp_path / "geo.xml", geometry)
    assert read_geometry(tmp_path / "geo.xml") == geometry


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('<P unit="mm">28.8 2.7 513</P>', "", "<P> is missing"),
        ("28.8 2.7 513", "28.8 2.7", "P needs 3 number"),
        ("28.8 2.7 513", "28.8 2.7 nan", "P needs 3 number"),
        ("28.8 2.7 513", "28.8 2.7 far", "P needs 3 number"),
        ("2048 1024", "2048 0", "number of pixels"),
        ("2048 1024", "2048 10.5", "number of pixels"),
        ('unit="mm">409.6', 'unit="parsec">409.6', "unknown unit 'parsec'"),
        ("</Detectors>", "", "not valid XML"),
        ('N="2"', "", "no number"),
        ("geoN", "crystal", "<crystal> file"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / "geo.xml"
    file.write_text(GEOMETRY.replace(old, new))
    with pytest.raises(ConfigurationError, match=re.escape(said)) as caught:
        read_geometry(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_entities_are_refused_and_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("28.8 2.7 513")
    file = tmp_path / "geo.xml"
    declaration = f'<!DOCTYPE geoN [<!ENTITY leak SYSTEM "{secret.as_uri()}">]>\n<geoN'
    file.write_text(GEOMETRY.replace("<geoN", declaration).replace("28.8 2.7 513", "&leak;"))
    with pytest.raises(ConfigurationError, match="DOCTYPE"):
        read_geometry(file)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00\xff\x00", b"$d0_Nx 2048\n"])
def test_refuses_what_is_no_geometry(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "geo.txt"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError):
        read_geometry(file)


@pytest.mark.parametrize("number", ["²", "٣", "9" * 5000, "-1", ""])
def test_a_detector_that_is_not_numbered_is_refused(tmp_path: Path, number: str) -> None:
    path = tmp_path / "g.xml"
    path.write_text(GEOMETRY.replace('<Detector N="2"', f'<Detector N="{number}"'), "utf-8")
    with pytest.raises(ConfigurationError, match="Detector has no number N"):
        read_geometry(path)


@pytest.mark.parametrize("start", ["<!--", "<--"])
def test_comments_without_an_end_are_looked_through_once(tmp_path: Path, start: str) -> None:
    path = tmp_path / "g.xml"
    path.write_text(GEOMETRY + start * 500_000, encoding="utf-8")  # the square would take hours
    with pytest.raises(ConfigurationError, match="not valid XML"):
        read_geometry(path)


def test_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.xml: cannot be read"):
        read_geometry(tmp_path / "nothing.xml")

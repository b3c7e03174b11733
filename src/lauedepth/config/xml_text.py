"""Read the beamline's XML, which is not always XML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lxml import etree

from lauedepth.core.errors import ConfigurationError

# Comments also come as "<-- ... -->", and some hold "--": both break a strict parser.
_COMMENT_STARTS = re.compile(rb"<!?--")
_COMMENT_ENDS = b"-->"


def parse_xml(content: bytes, source: Path | str) -> etree._Element:
    """Parse XML whose comments may be malformed; namespaces are dropped.

    Nothing is fetched or expanded: a document type declaration is refused.

    Parameters
    ----------
    content : bytes
    source : Path or str
        The file, named in errors.

    Returns
    -------
    lxml element
        The root; every tag is its local name.

    Raises
    ------
    ConfigurationError
        Not XML, or it declares entities.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_pis=True
    )
    try:
        root = etree.fromstring(_without_comments(content).strip(), parser)
    except etree.XMLSyntaxError as error:
        raise ConfigurationError(f"not valid XML: {error.msg}", str(source)) from error
    docinfo: Any = root.getroottree().docinfo  # the stubs lack its doctype
    if docinfo.doctype:
        raise ConfigurationError(
            "declares a document type, which may hide links or entities",
            str(source),
            "remove the <!DOCTYPE ...> declaration",
        )
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = etree.QName(element).localname
    return root


def _without_comments(content: bytes) -> bytes:
    """Return what stands between comments, in one pass; one without an end stays."""
    parts, position = [], 0
    while (starts := _COMMENT_STARTS.search(content, position)) is not None:
        ends = content.find(_COMMENT_ENDS, starts.end())
        if ends < 0:
            break
        parts.append(content[position : starts.start()])
        position = ends + len(_COMMENT_ENDS)
    return b"".join([*parts, content[position:]])

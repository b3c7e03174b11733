"""Read the beamline's XML, which is not always XML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lxml import etree

from lauedepth.core.errors import ConfigurationError

# Comments also come as "<-- ... -->", and some hold "--": both break a strict parser.
_COMMENT = re.compile(rb"<!?--.*?-->", re.DOTALL)


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
        root = etree.fromstring(_COMMENT.sub(b"", content).strip(), parser)
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

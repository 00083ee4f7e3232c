"""Adds attachments to an exported document: their content, or the names of files beside it (IV-40).

Separate from the document's making, which is pure: contents are read from the store when the mail is handed over.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from xml.etree import ElementTree as ET


def with_contents(document: bytes, read: Callable[[str], bytes]) -> bytes:
    """The document with the content of each attachment in base64; `read` gives the bytes of a hash."""
    root, space = _parsed(document)
    for parent in root.iter(f"{space}Attachments"):
        for sha256 in dict.fromkeys(each.attrib["sha256"] for each in parent.iter(f"{space}Attachment")):
            content = ET.SubElement(parent, f"{space}Content", sha256=sha256, encoding="base64")
            content.text = b64encode(read(sha256)).decode()
    return _written(document, root, space)


def with_files(document: bytes, read: Callable[[str], bytes], write: Callable[[int, bytes], str]) -> bytes:
    """The document with the name of a file for each attachment; `write` keeps a content by its place, returns a name.

    The name never comes from the mail.
    """
    root, space = _parsed(document)
    for place, each in enumerate(root.iter(f"{space}Attachment"), start=1):
        each.set("file", write(place, read(each.attrib["sha256"])))
    return _written(document, root, space)


def _parsed(document: bytes) -> tuple[ET.Element, str]:
    root = ET.fromstring(document)  # noqa: S314 - our own document
    return root, root.tag.removesuffix("Mail")


def _written(document: bytes, root: ET.Element, space: str) -> bytes:
    """The changed document; byte for byte as it was when nothing is attached."""
    if root.find(f".//{space}Attachment") is None:
        return document
    ET.register_namespace("", space.strip("{}"))
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text

"""Export Email as XML (IV-40): one document for each mail, well-formed whatever the mail holds. Pure.

Facts are element text. What XML 1.0 cannot hold (control characters) is never dropped: that element's text is
the UTF-8 in base64, with the attribute `encoding="base64"`. "Compress" packs the body (gzip, base64). The schema is
`docs/schema/mail.xsd`.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from typing import Final
from xml.etree import ElementTree as ET

from services.record_writer.decide.facts import Facts, kept_attachments
from services.record_writer.decide.model import Decision, XmlExport
from services.record_writer.decide.people.sender import sender_refusal
from services.record_writer.decide.record import mapping
from shared.contracts.mail import Address
from shared.lazy_pattern import lazy_compile

NAMESPACE: Final = "urn:postroom:mail:1"
_NOT_XML: Final = lazy_compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def decide_export(facts: Facts) -> Decision:
    """No record: the mail goes to a connection as XML."""
    if refused := sender_refusal(facts):
        return Decision("rejected", refused, "sender")
    target = facts.inbox.export
    if target is None:
        return Decision("failed", f"the inbox {facts.inbox.name} names no connection to export to", "export")
    export = XmlExport(target.connection, document(facts, compress=target.compress))
    return Decision("exported", f"exported to {target.connection}", "export", export=export)


def document(facts: Facts, *, compress: bool) -> bytes:
    """The mail as XML in UTF-8."""
    root = ET.Element("Mail", xmlns=NAMESPACE, id=facts.envelope.mail_id)
    for name, value in _facts(facts):
        _add(root, name, value)
    _add_body(root, facts.mail.text, compress=compress)
    _add_fields(root, facts)
    _add_attachments(root, facts)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _facts(facts: Facts) -> list[tuple[str, str]]:
    parsed = facts.mail
    several = [("To", parsed.to), ("Cc", parsed.cc)]
    return [
        ("Inbox", facts.inbox.name),
        ("ReceivedAt", facts.envelope.received_at),
        ("MessageId", parsed.message_id or ""),
        ("Date", parsed.date or ""),
        ("From", _shown(facts.sender.address)),
        *((name, _shown(address)) for name, addresses in several for address in addresses),
        ("Subject", parsed.subject),
        ("Person", facts.sender.person_id or ""),
        ("Sha256", facts.raw),
    ]


def _shown(address: Address | None) -> str:
    if address is None:
        return ""
    return f"{address.name} <{address.address}>" if address.name else address.address


def _add(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    if _NOT_XML.search(text) or "\r" in text:
        element.set("encoding", "base64")
        text = b64encode(text.encode("utf-8", "surrogatepass")).decode()
    element.text = text
    return element


def _attribute(text: str) -> str:
    """An attribute's value: what XML 1.0 cannot hold is shown as U+FFFD; facts that must be exact are element text."""
    return _NOT_XML.sub("\ufffd", text)


def _add_body(root: ET.Element, text: str, *, compress: bool) -> None:
    if not compress:
        _add(root, "Body", text)
        return
    packed = gzip.compress(text.encode("utf-8", "surrogatepass"), mtime=0)
    ET.SubElement(root, "Body", encoding="gzip+base64").text = b64encode(packed).decode()


def _add_fields(root: ET.Element, facts: Facts) -> None:
    """Mapped fields appear here too (IV-32)."""
    fields = ET.SubElement(root, "Fields")
    for name, template in facts.inbox.field_mapping.items():
        _add(fields, "Field", mapping.fill(template, facts, facts.mail.text), name=_attribute(name))


def _add_attachments(root: ET.Element, facts: Facts) -> None:
    attachments = ET.SubElement(root, "Attachments")
    kept, restricted = kept_attachments(facts)
    for each in kept:
        type_ = _attribute(each.content_type)
        _add(attachments, "Attachment", each.filename, type=type_, size=str(each.size), sha256=each.sha256)
    for name in restricted:
        _add(attachments, "Restricted", name)

"""A parsed mail as JSON and back: the field names that stages, `postroom parse` and integrators share.

`to_json` and `from_json` are the only places that know them. Reading is strict, because what stands on a queue was
written by a program: a wrong type is `shared.errors.Undecodable`, an unknown field is ignored. Lone surrogates are
refused, since neither JSON readers nor BSON take them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

from shared.contracts.mail import Address, Attachment, Bounce, BouncedRecipient, Kind, ParsedMail, Routing
from shared.errors import Undecodable

_T = TypeVar("_T")
_KINDS = frozenset(get_args(Kind))


def to_json(mail: ParsedMail) -> dict[str, object]:
    """The mail as plain dicts, lists, strings, numbers and None, ready for `json.dumps`."""
    return {
        "sha256": mail.sha256,
        "size": mail.size,
        "message_id": mail.message_id,
        "in_reply_to": mail.in_reply_to,
        "references": list(mail.references),
        "date": mail.date,
        "from": _address(mail.from_),
        "sender": _address(mail.sender),
        "reply_to": [_address(person) for person in mail.reply_to],
        "to": [_address(person) for person in mail.to],
        "cc": [_address(person) for person in mail.cc],
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "new_text": mail.new_text,
        "attachments": [_attachment(item) for item in mail.attachments],
        "kind": mail.kind,
        "bounce": _bounce(mail.bounce),
        "automatic": mail.automatic,
        "automatic_header": mail.automatic_header,
        "forwarded_from": _address(mail.forwarded_from),
        "routing": _routing(mail.routing),
        "defects": list(mail.defects),
    }


def _address(person: Address | None) -> dict[str, object] | None:
    return None if person is None else {"name": person.name, "address": person.address}


def _attachment(item: Attachment) -> dict[str, object]:
    return {
        "filename": item.filename,
        "content_type": item.content_type,
        "size": item.size,
        "sha256": item.sha256,
        "inline": item.inline,
        "content_id": item.content_id,
    }


def _bounce(bounce: Bounce | None) -> dict[str, object] | None:
    if bounce is None:
        return None
    return {
        "recipients": [
            {
                "address": one.address,
                "action": one.action,
                "status": one.status,
                "smtp_code": one.smtp_code,
                "permanent": one.permanent,
                "reason": one.reason,
                "diagnostic": one.diagnostic,
            }
            for one in bounce.recipients
        ]
    }


def _routing(routing: Routing) -> dict[str, object]:
    return {
        "return_path": routing.return_path,
        "auto_submitted": routing.auto_submitted,
        "loop": list(routing.loop),
        "authentication_results": list(routing.authentication_results),
        "delivered_to": list(routing.delivered_to),
    }


def from_json(data: object) -> ParsedMail:
    """The mail that `to_json` wrote.

    Raises `Undecodable` naming the field when a field is missing, has another type or holds a lone surrogate.
    """
    fields = _Fields(data, "mail")
    return ParsedMail(
        sha256=fields.text("sha256"),
        size=fields.number("size"),
        message_id=fields.maybe("message_id", str),
        in_reply_to=fields.maybe("in_reply_to", str),
        references=fields.texts("references"),
        date=fields.maybe("date", str),
        from_=fields.one("from", _read_address),
        sender=fields.one("sender", _read_address),
        reply_to=fields.many("reply_to", _read_address),
        to=fields.many("to", _read_address),
        cc=fields.many("cc", _read_address),
        subject=fields.text("subject"),
        text=fields.text("text"),
        html=fields.maybe("html", str),
        new_text=fields.text("new_text"),
        attachments=fields.many("attachments", _read_attachment),
        kind=_read_kind(fields.text("kind")),
        bounce=fields.one("bounce", _read_bounce),
        automatic=fields.flag("automatic"),
        automatic_header=fields.maybe("automatic_header", str),
        forwarded_from=fields.one("forwarded_from", _read_address),
        routing=fields.one("routing", _read_routing) or Routing(),
        defects=fields.texts("defects"),
    )


class _Fields:
    """A JSON object whose values are asked for by name and type."""

    __slots__ = ("_data", "_place")

    def __init__(self, data: object, place: str) -> None:
        if not isinstance(data, dict):
            raise Undecodable(f"{place}: expected an object, found {type(data).__name__}")
        self._data: Mapping[str, Any] = data
        self._place = place

    def _wrong(self, name: str, wanted: str) -> Undecodable:
        return Undecodable(f"{self._place}.{name}: expected {wanted}")

    def maybe(self, name: str, kind: type[_T]) -> _T | None:
        """The value, None when absent or null."""
        value = self._data.get(name)
        if value is None:
            return None
        if type(value) is not kind:
            raise self._wrong(name, kind.__name__)
        if isinstance(value, str) and not _is_scalar(value):
            raise self._wrong(name, "text without lone surrogates")
        return value

    def _must(self, name: str, kind: type[_T]) -> _T:
        value = self.maybe(name, kind)
        if value is None:
            raise self._wrong(name, kind.__name__)
        return value

    def text(self, name: str) -> str:
        return self._must(name, str)

    def number(self, name: str) -> int:
        value = self._must(name, int)
        if not 0 <= value < 1 << 53:
            raise self._wrong(name, "a count")
        return value

    def flag(self, name: str) -> bool:
        return self._must(name, bool)

    def texts(self, name: str) -> tuple[str, ...]:
        values = self.maybe(name, list) or []
        if not all(type(value) is str and _is_scalar(value) for value in values):
            raise self._wrong(name, "a list of texts")
        return tuple(values)

    def one(self, name: str, read: Callable[[object], _T]) -> _T | None:
        value = self._data.get(name)
        return None if value is None else read(value)

    def many(self, name: str, read: Callable[[object], _T]) -> tuple[_T, ...]:
        return tuple(read(value) for value in self.maybe(name, list) or [])


def _is_scalar(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _read_address(data: object) -> Address:
    fields = _Fields(data, "address")
    return Address(name=fields.text("name"), address=fields.text("address"))


def _read_attachment(data: object) -> Attachment:
    fields = _Fields(data, "attachment")
    return Attachment(
        filename=fields.text("filename"),
        content_type=fields.text("content_type"),
        size=fields.number("size"),
        sha256=fields.text("sha256"),
        inline=fields.flag("inline"),
        content_id=fields.maybe("content_id", str),
    )


def _read_bounce(data: object) -> Bounce:
    return Bounce(recipients=_Fields(data, "bounce").many("recipients", _read_recipient))


def _read_recipient(data: object) -> BouncedRecipient:
    fields = _Fields(data, "recipient")
    return BouncedRecipient(
        address=fields.text("address"),
        action=fields.maybe("action", str),
        status=fields.maybe("status", str),
        smtp_code=fields.maybe("smtp_code", int),
        permanent=fields.maybe("permanent", bool),
        reason=fields.maybe("reason", str),
        diagnostic=fields.maybe("diagnostic", str),
    )


def _read_routing(data: object) -> Routing:
    fields = _Fields(data, "routing")
    return Routing(
        return_path=fields.maybe("return_path", str),
        auto_submitted=fields.maybe("auto_submitted", str),
        loop=fields.texts("loop"),
        authentication_results=fields.texts("authentication_results"),
        delivered_to=fields.texts("delivered_to"),
    )


def _read_kind(word: str) -> Kind:
    if word not in _KINDS:
        raise Undecodable(f"mail.kind: {word[:40]!r} is no kind of mail")
    return word  # type: ignore[return-value]  # one of the literals, just checked

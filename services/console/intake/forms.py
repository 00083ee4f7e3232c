"""Reads the fields of a posted form (multipart, RFC 7578, or URL-encoded) within bounds.

The body is in memory already, because a signature may cover it. What a form may have many of is bounded: fields, and
the header of each part. Only the fields that are asked for are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

MAX_FIELDS: Final = 200
MAX_PART_HEADERS, MAX_PART_HEADER_BYTES = 16, 8 * 1024
MAX_BOUNDARY_BYTES: Final = 70
"""RFC 2046, 5.1.1."""


class Malformed(ValueError):
    """The form cannot be read; the message says why."""


def read_form(content_type: str, body: bytes, wanted: Collection[str]) -> Mapping[str, bytes]:
    """The fields that are asked for. Raises `Malformed`, also for one that comes twice."""
    from python_multipart.multipart import parse_options_header

    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        boundary = options.get(b"boundary", b"")
        if not 0 < len(boundary) <= MAX_BOUNDARY_BYTES:
            raise Malformed("the form has no boundary, or one that is too long")
        return _Parts(wanted).read(boundary, body)
    if kind == b"application/x-www-form-urlencoded":
        return _url_encoded(body, wanted)
    raise Malformed("the body is not a form")


def _url_encoded(body: bytes, wanted: Collection[str]) -> Mapping[str, bytes]:
    if body.count(b"&") >= MAX_FIELDS:
        raise Malformed(f"the form has more than {MAX_FIELDS} fields")
    found = dict[str, bytes]()
    for pair in body.split(b"&"):
        name, _, value = pair.partition(b"=")
        key = unquote_to_bytes(name.replace(b"+", b" ")).decode("utf-8", "replace")
        if key in wanted:
            _keep(found, key, unquote_to_bytes(value.replace(b"+", b" ")))
    return found


def _keep(found: dict[str, bytes], name: str, value: bytes) -> None:
    if name in found:
        raise Malformed(f"the form has the field {name!r} twice")
    found[name] = value


class _Parts:
    """Collects the parts of a multipart form as the parser finds them."""

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted, self._found, self._parts = wanted, dict[str, bytes](), 0
        self._field, self._value, self._disposition = b"", b"", b""
        self._name: str | None = None
        self._data = list[bytes]()

    def read(self, boundary: bytes, body: bytes) -> Mapping[str, bytes]:
        """The wanted fields."""
        from python_multipart.exceptions import FormParserError
        from python_multipart.multipart import MultipartParser

        ended = False

        def end() -> None:
            nonlocal ended
            ended = True

        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._add_field,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._name_part,
                "on_part_data": self._add_data,
                "on_part_end": self._end,
                "on_end": end,
            },
            max_header_count=MAX_PART_HEADERS,
            max_header_size=MAX_PART_HEADER_BYTES,
        )
        try:
            parser.write(body)
            parser.finalize()
        except FormParserError as error:
            raise Malformed(f"the form cannot be read: {error}") from error
        if not ended:
            raise Malformed("the form has no end")
        return self._found

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_FIELDS:
            raise Malformed(f"the form has more than {MAX_FIELDS} fields")
        self._disposition, self._name, self._data = b"", None, []

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field, self._value = b"", b""

    def _name_part(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        self._name = name if name in self._wanted else None

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._name is not None:
            self._data.append(data[start:end])

    def _end(self) -> None:
        if self._name is not None:
            _keep(self._found, self._name, b"".join(self._data))

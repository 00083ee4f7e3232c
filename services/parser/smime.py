"""Reads the mail inside an S/MIME signature, from signed-data (RFC 5652 section 5, RFC 8551 section 3.5).

Takes the decoded content of an application/pkcs7-mime part, gives the MIME entity that was signed. The
signature is not checked: the content is readable without that, as in a clear-signed mail. Only the elements that
lead to the content are read, in BER with lengths of either form, without recursion.
"""

from __future__ import annotations

from shared.lazy_dataclass import dataclass

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_SEQUENCE, _OID, _OCTETS, _OCTETS_IN_PIECES, _EXPLICIT = 0x30, 0x06, 0x04, 0x24, 0xA0
_INDEFINITE = 0x80
_LONGEST_LENGTH = 8


def content(data: bytes) -> bytes | None:
    """The signed entity in `data`; None when `data` is encrypted, detached or not CMS."""
    try:
        return _Reader(data).signed()
    except (IndexError, ValueError):
        return None


@dataclass(slots=True)
class _Reader:
    """A position in BER data; an unexpected element raises IndexError or ValueError."""

    data: bytes
    position: int = 0

    def signed(self) -> bytes:
        self._enter(_SEQUENCE)
        if self._value(_OID) != _SIGNED_DATA:
            raise ValueError("not signed-data")
        self._enter(_EXPLICIT)
        self._enter(_SEQUENCE)
        self._skip()  # version
        self._skip()  # digest algorithms
        self._enter(_SEQUENCE)
        self._value(_OID)
        self._enter(_EXPLICIT)
        return self._octets()

    def _head(self) -> tuple[int, int, int | None]:
        """Tag, start and end of the element here; the end is None when a mark ends it."""
        tag, length = self.data[self.position], self.data[self.position + 1]
        start = self.position + 2
        if length == _INDEFINITE:
            return tag, start, None
        if length > _INDEFINITE:
            size = length - _INDEFINITE
            if size > _LONGEST_LENGTH:
                raise ValueError("a length beyond reason")
            length = int.from_bytes(self.data[start : start + size], "big")
            start += size
        return tag, start, min(start + length, len(self.data))

    def _enter(self, expected: int) -> None:
        tag, self.position, _ = self._head()
        if tag != expected:
            raise ValueError("another element")

    def _value(self, expected: int) -> bytes:
        tag, start, end = self._head()
        if tag != expected or end is None:
            raise ValueError("another element")
        self.position = end
        return self.data[start:end]

    def _skip(self) -> None:
        """Skip one element, including its content when marks end it."""
        depth = 0
        while True:
            tag, start, end = self._head()
            self.position = start if end is None else end
            depth += 1 if end is None else -1 if tag == 0 and depth else 0
            if not depth:
                return

    def _octets(self) -> bytes:
        """A string of bytes, whole or in pieces."""
        tag, start, end = self._head()
        if tag != _OCTETS_IN_PIECES:
            return self._value(_OCTETS)
        pieces = []
        self.position = start
        while self.position < (len(self.data) if end is None else end) and self.data[self.position] == _OCTETS:
            pieces.append(self._value(_OCTETS))
        return b"".join(pieces)

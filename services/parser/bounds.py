"""How much of one mail the parser reads.

A mail beyond a *cap* is read up to the cap and tagged with a defect; a mail beyond a *limit* is not read at all:
`BoundExceeded` carries the limit's name to the dead letters. Both are defined here, separate from the code
that applies them, so that they can be read, configured and tested in one place.
"""

from __future__ import annotations

from shared.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits refuse the mail, caps shorten what is read of it. Counts unless a unit is given."""

    nesting: int = 150
    """Limit: nested levels of multiparts and attached mails."""
    parts: int = 20_000
    """Limit: parts in the whole tree, attached mails included."""
    headers: int = 20_000
    """Limit: header fields of one part."""
    header_bytes: int = 16 * 1024 * 1024
    """Limit: bytes of one header block."""
    value_bytes: int = 64 * 1024
    """Cap: bytes of one header value that are decoded as text."""
    subject: int = 4_000
    """Cap: characters of a subject."""
    parameters: int = 200
    """Cap: parameters of one Content-Type or Content-Disposition."""
    addresses: int = 1_000
    """Cap: addresses of one field (To, Cc, Reply-To)."""
    references: int = 200
    """Cap: message ids kept of References; the first and the newest matter most."""
    attachments: int = 1_000
    """Cap: attachments listed; the others remain in the raw mail."""
    text: int = 2 * 1024 * 1024
    """Cap: characters of text and of HTML; a longer body is also kept whole, as an attachment."""
    html_nesting: int = 400
    """Cap: nested elements; deeper HTML is kept as text only."""
    html_elements: int = 100_000
    """Cap: elements of all HTML in a mail, those included that a browser adds; beyond, HTML is kept as text only."""
    deep: int = 50
    """Nesting from which a mail is tagged `deep-nesting` though it is read."""

"""Names every recipient in the header, for services that read the recipients there and know no envelope.

Graph, EWS and the Gmail API send a blind copy to those in Bcc, and take that field out. SMTP needs none of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses


def named_in_header(message: bytes, recipients: Sequence[str]) -> bytes:
    """The mail with a Bcc field for the recipients that neither To nor Cc names."""
    head = BytesHeaderParser(policy=compat32).parsebytes(message)
    fields = [str(each) for name in ("To", "Cc") for each in head.get_all(name, [])]
    named = {address.casefold() for _, address in getaddresses(fields)}
    hidden = [each for each in recipients if each.casefold() not in named]
    return b"Bcc: " + ",\r\n ".join(hidden).encode() + b"\r\n" + message if hidden else message

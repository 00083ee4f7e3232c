"""Maps folder names in the configuration to folder names on an IMAP server.

People write `Archive/2024`. A server may have another delimiter, or keep all personal folders below a prefix such
as `INBOX.` (RFC 2342). Separate from the mailbox because it only handles names.
"""

from __future__ import annotations

import imaplib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.fetcher.imap_client import BoundedClient

MAX_LISTED = 20
_UNUSABLE = {rb"\noselect", rb"\nonexistent"}


def same(one: str, other: str) -> bool:
    """Whether two names mean the same folder; only INBOX is case-insensitive (RFC 3501, 5.1)."""
    return one == other or one.upper() == other.upper() == "INBOX"


def candidates(name: str, prefix: str, delimiter: str) -> Sequence[str]:
    """The names that `name` can have on the server, the likeliest first."""
    local = name.replace("/", delimiter) if delimiter else name
    inside = [] if not prefix or local.startswith(prefix) else [prefix + local]
    return list(dict.fromkeys([*inside, local, name]))


def find(client: BoundedClient, name: str) -> str | None:
    """The server's name for a folder that exists, or None."""
    return next((each for each in _possible(client, name) if _exists(client, each)), None)


def create(client: BoundedClient, name: str) -> str | None:
    """Create the folder under the first name that the server accepts; another client may create it first."""
    for each in _possible(client, name):
        with suppress(imaplib.IMAP4.error):
            client.create_folder(each)
        if _exists(client, each):
            with suppress(imaplib.IMAP4.error):
                client.subscribe_folder(each)
            return each
    return None


def listed(client: BoundedClient) -> str:
    """Which folders the account has, for a message; at most `MAX_LISTED`."""
    try:
        found = [str(name) for flags, _, name in client.list_folders() if not _unusable(flags)]
    except (imaplib.IMAP4.error, ValueError, OSError):
        return "the server does not list its folders"
    more = f" and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
    return f"the account has {', '.join(found[:MAX_LISTED]) or 'no folders'}{more}"


def _unusable(flags: Sequence[bytes]) -> bool:
    return bool(_UNUSABLE & {flag.lower() for flag in flags})


def _possible(client: BoundedClient, name: str) -> Iterator[str]:
    prefix, delimiter = _namespace(client)
    yield from candidates(name, prefix, delimiter)


def _namespace(client: BoundedClient) -> tuple[str, str]:
    """Prefix and delimiter of the personal namespace."""
    if client.has_capability("NAMESPACE"):
        personal = client.namespace().personal
        if personal:
            prefix, delimiter = personal[0]
            return str(prefix), str(delimiter or "")
    root = client.list_folders("", "")
    delimiter = root[0][1] if root else None
    return "", delimiter.decode("ascii", "replace") if isinstance(delimiter, bytes) else ""


def _exists(client: BoundedClient, name: str) -> bool:
    """Whether the folder exists. LIST takes a pattern (* and %), so the returned names are compared."""
    return any(same(str(found), name) and not _unusable(flags) for flags, _, found in client.list_folders("", name))

"""The table of logins in docs/mailboxes.md is made from the cases of the tests: python -m tests.test_docs_mailboxes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from shared.mail_network import sasl
from tests.requirements.test_logins import CASES
from tests.services.fetcher import test_courier, test_cyrus

PAGE: Final = Path(__file__).parents[1] / "docs" / "mailboxes.md"
_TABLE: Final = re.compile(r"(<!-- logins: made from the tests -->\n).*?(<!-- end of logins -->)", re.DOTALL)
_PROTOCOLS: Final = ("imap", "pop3", "smtp")
_MORE: Final = (("Cyrus 3.6", test_cyrus.LOGINS), ("Courier 5.0", test_courier.LOGINS))
"""Further IMAP servers, and the logins that their tests use."""


def table() -> str:
    """A row for each login, a column for each protocol: what it is tested against, a dash if there is none."""
    rows = ["| login | " + " | ".join(f"`{each}`" for each in _PROTOCOLS) + " |", "|---" * 4 + "|"]
    for row in (*sasl.TABLE, None):
        key, protocols = (row.key, row.protocols) if row else ("auto", frozenset(_PROTOCOLS))
        cells = (_servers(each, key) if each in protocols else "–" for each in _PROTOCOLS)
        rows.append(f"| `{key}` | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _servers(protocol: str, login: str) -> str:
    more = [server for server, logins in _MORE if protocol == "imap" and login in logins]
    return ", ".join([CASES.get((protocol, login), "not tested"), *more])


def with_table(page: str) -> str:
    """The page with the table as it is now."""
    return _TABLE.sub(lambda found: f"{found[1]}\n{table()}\n{found[2]}", page)


def test_the_table_is_the_one_of_the_tests() -> None:
    page = PAGE.read_text("utf-8")
    assert page == with_table(page), "write it again: python -m tests.test_docs_mailboxes"


def test_every_login_is_tested() -> None:
    wanted = {(protocol, row.key) for row in sasl.TABLE for protocol in row.protocols}
    assert wanted - CASES.keys() == set()


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")

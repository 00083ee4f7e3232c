"""The latest connection test of each mail server (NE-24)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from shared.contracts.mapping import from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.mail_network.connection_test import STORED, TestResult
from shared.store.documents import Documents

MAIL_SERVER_STATES: Final = "mail_server_state"


@dataclass(frozen=True, slots=True)
class MailServerState:
    """What is known of one mail server. `test` is None before the first test, and after it was cleared."""

    name: str = field(metadata=named("_id"))
    test: TestResult | None = None


_encode, _decode = to_plain(MailServerState, STORED), from_plain(MailServerState, STORED)


class MailServerStates:
    """The states of all mail servers."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def all(self) -> Mapping[str, MailServerState]:
        """Every state by name of mail server."""
        return {state.name: state for state in map(_decode, self._documents.find(MAIL_SERVER_STATES, {}))}

    def tested(self, name: str, result: TestResult | None) -> None:
        """Keep the latest connection test; None clears it."""
        self._documents.replace(MAIL_SERVER_STATES, _encode(MailServerState(name, result)))

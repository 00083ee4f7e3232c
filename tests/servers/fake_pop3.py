"""A POP3 server that lies on request: a small honest one, any of whose answers a test can replace."""

from __future__ import annotations

import socket
from collections.abc import Callable

from tests.servers.smtp import ScriptedServer

Answer = bytes | Callable[[socket.socket], None]


class FakePop3(ScriptedServer):
    """One mailbox, one user (anybody). `answers` replaces the whole answer to a command, such as `UIDL` or `RETR 2`.

    `mails` are those that QUIT left; `uids` None: the server has no UIDL.
    """

    def __init__(self, *mails: bytes) -> None:
        super().__init__(self._talk_pop3)
        self.mails = list(mails)
        self.uids: list[str] | None = [f"uid-{number}" for number in range(1, len(mails) + 1)]
        self.greeting = b"+OK ready\r\n"
        self.capabilities: list[bytes] | None = [b"USER", b"UIDL", b"TOP", b"SASL PLAIN"]
        self.answers: dict[str, Answer] = {}
        self.commands: list[str] = []

    def _talk_pop3(self, connection: socket.socket) -> None:
        deleted: set[int] = set()
        reader = connection.makefile("rb")
        connection.sendall(self.greeting)
        while line := reader.readline():
            words = line.decode().split()
            self.commands.append(" ".join(words))
            said = self.answers.get(" ".join(words), self.answers.get(words[0]))
            if said is None:
                said = self._honest(words, deleted)
            if callable(said):
                said(connection)
                return
            connection.sendall(said)
            if words[0] == "QUIT":
                return

    def _honest(self, words: list[str], deleted: set[int]) -> bytes:
        alive = [number for number in range(1, len(self.mails) + 1) if number not in deleted]
        match words[0]:
            case "CAPA":
                return _listed(self.capabilities) if self.capabilities is not None else b"-ERR what?\r\n"
            case "LIST":
                return _listed([b"%d %d" % (number, len(self.mails[number - 1])) for number in alive])
            case "UIDL":
                if self.uids is None:
                    return b"-ERR what?\r\n"
                return _listed([f"{number} {self.uids[number - 1]}".encode() for number in alive])
            case "RETR" | "TOP":
                return b"+OK\r\n" + stuffed(self.mails[int(words[1]) - 1])
            case "DELE":
                deleted.add(int(words[1]))
            case "QUIT":
                self.mails = [self.mails[number - 1] for number in alive]
                if self.uids is not None:
                    self.uids = [self.uids[number - 1] for number in alive]
        return b"+OK\r\n"

    def count(self, command: str) -> int:
        """How often a command was sent."""
        return sum(each.split()[0] == command for each in self.commands)


def stuffed(raw: bytes) -> bytes:
    """A mail as it travels (RFC 1939, 3)."""
    lines = raw.removesuffix(b"\r\n").split(b"\r\n")
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


def _listed(lines: list[bytes]) -> bytes:
    return b"+OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b".\r\n"

"""An IMAP server that lies on request: a small honest one, any of whose answers a test can replace."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.servers.smtp import ScriptedServer

Answer = bytes | Callable[[socket.socket], None]
"""Bytes to send instead of the honest answer, or a function that talks on the connection itself."""
_UID_SET = re.compile(rb"\d+(?:[,:](?:\d+|\*))*")


class HangUp(Exception):
    """Ends the connection at once."""


@dataclass(slots=True)
class Mail:
    """One mail of the folder."""

    raw: bytes
    flags: set[bytes] = field(default_factory=set)


class FakeImap(ScriptedServer):
    """One folder, one user (anybody). `capabilities` and the `answers` to commands are the test's to change.

    `bodies` replaces what follows `* n FETCH ` for a UID whose body is asked for, `answers` the whole of what a
    command (`UID SEARCH`, `SELECT`, `AUTHENTICATE`, ...) gets before its tagged line, or with it when it ends in one.
    `dialect` changes everything that is sent but the mails.
    """

    def __init__(self, *mails: bytes) -> None:
        super().__init__(self._talk_imap)
        self.mails = {uid: Mail(raw) for uid, raw in enumerate(mails, 1)}
        self.validity = 7
        self.capabilities = b"IMAP4rev1 MOVE UIDPLUS AUTH=PLAIN"
        self.greeting = b"* OK ready\r\n"
        self.archived: list[bytes] = []
        self.commands: list[bytes] = []
        self.answers: dict[str, Answer] = {}
        self.tagged: dict[str, bytes] = {}
        self.bodies: dict[int, Answer] = {}
        self.sizes: dict[int, int] = {}
        self.sizes_answer = b""
        self.dialect: Callable[[bytes], bytes] = bytes

    def _talk_imap(self, connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        connection.sendall(self.dialect(self.greeting))
        while line := reader.readline():
            tag, _, command = line.strip().partition(b" ")
            if not command:  # TLS on a port without it
                return
            self.commands.append(command)
            try:
                self._answer(connection, reader.readline, tag, command)
            except HangUp:
                return

    def _answer(self, connection: socket.socket, read: Callable[[], bytes], tag: bytes, command: bytes) -> None:
        words = command.upper().split()
        name = (b" ".join(words[:2]) if words[0] == b"UID" else words[0]).decode()
        handler: Callable[[bytes], bytes] = getattr(self, "_" + name.lower().replace(" ", "_"), lambda _: b"")
        if name == "AUTHENTICATE":
            connection.sendall(b"+ \r\n")
            read()
        said = self.answers[name] if name in self.answers else handler(command)
        if callable(said):
            said(connection)
            return
        connection.sendall(self.dialect(said))
        if name == "UID FETCH" and b"BODY" in command:
            self._send_bodies(connection, command)
        connection.sendall(self.dialect(tag + b" " + self.tagged.get(name, b"OK done") + b"\r\n"))
        if name == "LOGOUT":
            raise HangUp

    def _capability(self, _: bytes) -> bytes:
        return b"* CAPABILITY " + self.capabilities + b"\r\n"

    def _select(self, _: bytes) -> bytes:
        return b"* %d EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY %d] ok\r\n" % (len(self.mails), self.validity)

    def _list(self, command: bytes) -> bytes:
        name = command.rpartition(b" ")[2].strip(b'"')
        return b'* LIST () "/" "%s"\r\n' % (name or b"")

    def _uid_search(self, _: bytes) -> bytes:
        alive = (uid for uid, mail in self.mails.items() if rb"\Deleted" not in mail.flags)
        return b"* SEARCH" + b"".join(b" %d" % uid for uid in alive) + b"\r\n"

    def _uid_fetch(self, command: bytes) -> bytes:
        if b"BODY" in command:
            return b""
        if b"FLAGS" in command:
            flags = ((self._number(uid), uid, b" ".join(self.mails[uid].flags)) for uid in self._uids(command))
            return b"".join(b"* %d FETCH (UID %d FLAGS (%s))\r\n" % each for each in flags)
        if self.sizes_answer:
            return self.sizes_answer
        sizes = ((self._number(uid), uid, self.sizes.get(uid, len(self.mails[uid].raw))) for uid in self._uids(command))
        return b"".join(b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % each for each in sizes)

    def _send_bodies(self, connection: socket.socket, command: bytes) -> None:
        for uid in self._uids(command):
            said = self.bodies.get(uid)
            if callable(said):
                said(connection)
                raise HangUp
            if said is None:
                raw = self.mails[uid].raw
                head = b"* %d FETCH (UID %d BODY[] {%d}\r\n" % (self._number(uid), uid, len(raw))
                connection.sendall(self.dialect(head) + raw + self.dialect(b")\r\n"))
            elif said:
                connection.sendall(b"* %d FETCH %s\r\n" % (self._number(uid), said.removesuffix(b"\r\n")))

    def _uid_store(self, command: bytes) -> bytes:
        for uid in self._uids(command):
            self.mails[uid].flags |= set(re.findall(rb"\\\w+", command))
        return b""

    def _uid_move(self, command: bytes) -> bytes:
        self._uid_copy(command)
        for uid in self._uids(command):
            del self.mails[uid]
        return b""

    def _uid_copy(self, command: bytes) -> bytes:
        self.archived += [self.mails[uid].raw for uid in self._uids(command)]
        return b""

    def _uid_expunge(self, command: bytes) -> bytes:
        for uid in self._uids(command):
            if rb"\Deleted" in self.mails[uid].flags:
                del self.mails[uid]
        return b""

    def _expunge(self, _: bytes) -> bytes:
        for uid in [uid for uid, mail in self.mails.items() if rb"\Deleted" in mail.flags]:
            del self.mails[uid]
        return b""

    def _uids(self, command: bytes) -> list[int]:
        found = _UID_SET.search(command)
        assert found is not None, command
        ranges = (part.split(b":") for part in found[0].split(b","))
        wanted = {uid for ends in ranges for uid in range(int(ends[0]), int(ends[-1].replace(b"*", b"999")) + 1)}
        return [uid for uid in self.mails if uid in wanted]

    def _number(self, uid: int) -> int:
        return list(self.mails).index(uid) + 1 if uid in self.mails else 1

"""A scripted DNS server on loopback: it answers look-ups of SRV records, and every other name is unknown (RFC 1035)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from tests.servers.presence import PATIENCE_SECONDS


class DnsServer:
    """`records`: name → SRV records as text, such as `0 1 993 imap.example.com.`. `asked`: the names, in order.

    `silent`: it never answers.
    """

    def __init__(self, records: Mapping[str, tuple[str, ...]]) -> None:
        self.records, self.asked, self.silent = dict(records), list[str](), False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, name="dns", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def _serve(self) -> None:
        while True:
            wire, client = self._socket.recvfrom(4096)
            if not wire:
                return
            if not self.silent:
                self._socket.sendto(self._answer(wire), client)

    def _answer(self, wire: bytes) -> bytes:
        query = dns.message.from_wire(wire)
        (question,) = query.question
        name = str(question.name).rstrip(".").lower()
        self.asked.append(name)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        found = self.records.get(name)
        if found is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == dns.rdatatype.SRV:
            response.answer.append(dns.rrset.from_text(question.name, 60, dns.rdataclass.IN, "SRV", *found))
        return response.to_wire(max_size=65535)

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            host, _, port = self.address.partition(":")
            end.sendto(b"", (host, int(port)))
        self._thread.join(PATIENCE_SECONDS)
        self._socket.close()

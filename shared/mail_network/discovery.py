"""Finds the mail servers of an address: by SRV records (RFC 6186, RFC 8314), else by names that are usual.

Each server that is found is tried before it is returned: connection, TLS with a checked certificate, greeting. Nothing
is sent to it. Tries are bounded in number and time. Records of DNS prove nothing by themselves, so a caller has to ask
a person about a server outside the domain of the address (RFC 6186, section 6).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

from shared.contracts.errors import PostroomError
from shared.lazy_dataclass import dataclass
from shared.mail_network.connection import (
    InvalidHost,
    Step,
    Unreachable,
    await_greeting,
    begin_tls,
    connecting,
    host_name,
)
from shared.mail_network.tls import SYSTEM, TlsOptions

if TYPE_CHECKING:
    from dns.resolver import Resolver

Service = Literal["imap", "smtp"]
Encryption = Literal["implicit", "starttls"]

DNS_SECONDS: Final = 5.0
"""For one look-up, with all servers of the resolver."""
TRY_SECONDS: Final = 4.0
TOTAL_SECONDS: Final = 30.0
MAX_TRIES: Final = 8
RECORDS: Final[Mapping[Service, tuple[tuple[str, Encryption], ...]]] = {
    "imap": (("_imaps", "implicit"), ("_imap", "starttls")),
    "smtp": (("_submissions", "implicit"), ("_submission", "starttls")),
}
"""The best first: implicit TLS (RFC 8314, section 3)."""
NAMES: Final[Mapping[Service, tuple[tuple[str, int, Encryption], ...]]] = {
    "imap": (
        ("imap", 993, "implicit"),
        ("mail", 993, "implicit"),
        ("imap", 143, "starttls"),
        ("mail", 143, "starttls"),
    ),
    "smtp": (
        ("smtp", 465, "implicit"),
        ("mail", 465, "implicit"),
        ("smtp", 587, "starttls"),
        ("mail", 587, "starttls"),
    ),
}
"""Names below the domain that servers usually have, with port and TLS."""
_GREETINGS: Final[Mapping[Service, bytes]] = {"imap": b"* ", "smtp": b"220"}


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server that answers. `by_record`: DNS names it; else it has a usual name."""

    host: str
    port: int
    tls: Encryption
    by_record: bool

    def is_outside(self, domain: str) -> bool:
        """Whether it is not in the domain of the address."""
        return self.host != domain and not self.host.endswith(f".{domain}")

    def __str__(self) -> str:
        return f"{self.host}:{self.port} ({self.tls})"


class NotDiscovered(Unreachable):
    """No server was found for the address."""

    step = Step.URL


def domain_of(address: str) -> str:
    """The domain of an address as DNS wants it. Raises `InvalidHost`."""
    return host_name(address.rpartition("@")[2])


def discover(address: str, service: Service, *, resolver: Resolver | None = None, tls: TlsOptions = SYSTEM) -> Server:
    """The first server of an address that answers. Raises `NotDiscovered`, which says what was tried."""
    domain = domain_of(address)
    tried: list[str] = []
    ends = time.monotonic() + TOTAL_SECONDS
    for server in _candidates(domain, service, resolver or _system_resolver(), tried):
        left = ends - time.monotonic()
        if left <= 0 or len(tried) >= MAX_TRIES:
            break
        try:
            _try(server, service, tls, min(TRY_SECONDS, left))
        except PostroomError as error:
            tried.append(str(error))
        else:
            return server
    raise NotDiscovered(f"no {service} server could be found for {address} ({'; '.join(tried) or 'nothing to try'})")


def _candidates(domain: str, service: Service, resolver: Resolver, tried: list[str]) -> Iterator[Server]:
    """What the records name; without a record for this service, the usual names."""
    found = 0
    for record, tls in RECORDS[service]:
        for host, port in _look_up(f"{record}._tcp.{domain}", resolver, tried):
            found += 1
            if host:
                yield Server(host, port, tls, by_record=True)
            else:
                tried.append(f"{record}._tcp.{domain} says that there is no such service")
    if not found:
        yield from (Server(f"{name}.{domain}", port, tls, by_record=False) for name, port, tls in NAMES[service])


def _look_up(name: str, resolver: Resolver, tried: list[str]) -> Sequence[tuple[str, int]]:
    """Hosts and ports of an SRV record by priority and weight (RFC 2782); an empty host: the service is not offered."""
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer

    try:
        answer = resolver.resolve(name, "SRV", lifetime=DNS_SECONDS, raise_on_no_answer=True)
    except (NXDOMAIN, NoAnswer):
        return ()
    except DNSException as error:
        tried.append(f"{name} cannot be looked up: {type(error).__name__}")
        return ()
    records = sorted(answer, key=lambda each: (each.priority, -each.weight))
    hosts = ((str(each.target).rstrip(".").lower(), int(each.port)) for each in records)
    return tuple(hosts)[:MAX_TRIES]


def _system_resolver() -> Resolver:
    from dns.exception import DNSException
    from dns.resolver import Resolver

    try:
        return Resolver()
    except DNSException as error:
        raise NotDiscovered(f"this machine has no resolver for DNS: {error}") from error


def resolver_at(server: str) -> Resolver:
    """A resolver that asks this server alone: `ADDRESS` or `ADDRESS:PORT` (IPv6 in brackets). Raises `InvalidHost`."""
    from dns.resolver import Resolver

    address, colon, port = server.rpartition(":")
    if not colon or "]" in port or (":" in address and not address.startswith("[")):
        address, port = server, ""
    if port and not port.isdigit():
        raise InvalidHost(f"{server!r} is not the address of a DNS server")
    resolver = Resolver(configure=False)
    try:
        resolver.nameservers = [host_name(address)]
    except ValueError as error:
        raise InvalidHost(f"{server!r} is not the address of a DNS server; write its IP address") from error
    resolver.port = int(port or 53)
    return resolver


def _try(server: Server, service: Service, tls: TlsOptions, seconds: float) -> None:
    """Connect, begin TLS where it is implicit, and wait for the greeting. Raises an error of the connection."""
    where = (host_name(server.host), server.port)
    with connecting(*where):
        sock = socket.create_connection(where, seconds)
        try:
            if server.tls == "implicit":
                sock = begin_tls(sock, tls.context(), where, seconds)
            else:
                await_greeting(sock, where, seconds)
            sock.settimeout(seconds)
            greeting = sock.recv(512)
        finally:
            sock.close()
    if not greeting.startswith(_GREETINGS[service]):
        raise Unreachable(f"{server} does not greet as a server of {service}")

"""Mail servers are found by SRV records or by name, tried with a checked certificate, and bounded in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest

from shared.mail_network import discovery
from shared.mail_network.connection import InvalidHost
from shared.mail_network.discovery import NotDiscovered, Server, discover, resolver_at
from shared.mail_network.tls import TlsOptions
from tests.servers.dns import DnsServer
from tests.servers.presence import PATIENCE_SECONDS, closed_port
from tests.servers.proxy import Proxy
from tests.servers.tls import Authority

ADDRESS = "desk@example.com"


class Greeting:
    """A server that only greets."""

    def __init__(self, said: bytes) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._said = said
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client, suppress(OSError):
                client.sendall(self._said)
                client.recv(1)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(PATIENCE_SECONDS)


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name of example.com leads to this machine; the other names do not exist."""
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **options: Any) -> Any:
        if str(host).endswith("example.com"):
            host = "127.0.0.1"
        elif host != "127.0.0.1":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def imap() -> Iterator[Greeting]:
    with Greeting(b"* OK ready\r\n") as running:
        yield running


@pytest.fixture
def refusing() -> Iterator[int]:
    """A port at which nobody listens."""
    with closed_port() as port:
        yield port


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    with DnsServer({}) as running:
        yield running


@pytest.fixture
def implicit(imap: Greeting, authority: Authority, tcp_proxy: Callable[..., Proxy]) -> Callable[[str], int]:
    """The port of the server with implicit TLS and a certificate for this name."""
    return lambda name: tcp_proxy("127.0.0.1", imap.port, authority.issue(name).server_context()).port


def found(dns: DnsServer, authority: Authority, service: discovery.Service = "imap", address: str = ADDRESS) -> Server:
    tls = TlsOptions(ca_file=str(authority.certificate))
    return discover(address, service, resolver=resolver_at(dns.address), tls=tls)


@pytest.mark.req("TI-04")
def test_the_record_for_implicit_tls_wins(
    dns: DnsServer, authority: Authority, imap: Greeting, implicit: Callable[[str], int], refusing: int
) -> None:
    port = implicit("box.example.com")
    dns.records = {
        "_imap._tcp.example.com": (f"0 1 {imap.port} plain.example.com.",),
        "_imaps._tcp.example.com": (f"10 1 {refusing} later.example.com.", f"0 1 {port} box.example.com."),
    }
    assert found(dns, authority) == Server("box.example.com", port, "implicit", by_record=True)


def test_the_next_server_is_tried_when_the_first_does_not_answer_or_is_another(
    dns: DnsServer, authority: Authority, imap: Greeting, implicit: Callable[[str], int], refusing: int
) -> None:
    """One refuses the connection, one has a certificate of another host, one is not an IMAP server."""
    other = implicit("other.example.com")
    with Greeting(b"220 SMTP\r\n") as smtp:
        dns.records = {
            "_imaps._tcp.example.com": (f"0 1 {refusing} a.example.com.", f"1 1 {other} b.example.com."),
            "_imap._tcp.example.com": (f"0 1 {smtp.port} c.example.com.", f"1 1 {imap.port} d.example.com."),
        }
        assert found(dns, authority) == Server("d.example.com", imap.port, "starttls", by_record=True)


def test_a_heavier_server_of_the_same_priority_comes_first(
    dns: DnsServer, authority: Authority, imap: Greeting
) -> None:
    dns.records = {
        "_imap._tcp.example.com": (f"5 1 {imap.port} light.example.com.", f"5 9 {imap.port} heavy.example.com.")
    }
    assert found(dns, authority).host == "heavy.example.com"


def test_without_records_the_usual_names_are_tried(
    dns: DnsServer,
    authority: Authority,
    imap: Greeting,
    implicit: Callable[[str], int],
    refusing: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = implicit("mail.example.com")
    names = (("imap", refusing, "implicit"), ("mail", port, "implicit"), ("imap", imap.port, "starttls"))
    monkeypatch.setattr(discovery, "NAMES", {"imap": names})
    assert found(dns, authority) == Server("mail.example.com", port, "implicit", by_record=False)
    assert dns.asked == ["_imaps._tcp.example.com", "_imap._tcp.example.com"]


def test_a_domain_that_says_that_it_has_no_such_service_is_believed(
    dns: DnsServer, authority: Authority, imap: Greeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "NAMES", {"imap": (("imap", imap.port, "starttls"),)})
    dns.records = {"_imaps._tcp.example.com": ("0 0 0 .",), "_imap._tcp.example.com": ("0 0 0 .",)}
    with pytest.raises(NotDiscovered, match=r"_imap\._tcp\.example\.com says that there is no such service"):
        found(dns, authority)


def test_sending_is_found_by_the_records_of_submission(dns: DnsServer, authority: Authority) -> None:
    with Greeting(b"220 ready\r\n") as smtp:
        dns.records = {"_submission._tcp.example.com": (f"0 1 {smtp.port} out.example.com.",)}
        assert found(dns, authority, "smtp") == Server("out.example.com", smtp.port, "starttls", by_record=True)


def test_what_was_tried_is_said(dns: DnsServer, authority: Authority, refusing: int) -> None:
    dns.records = {"_imap._tcp.example.com": (f"0 1 {refusing} imap.nowhere.test.",)}
    with pytest.raises(NotDiscovered, match=r"'imap\.nowhere\.test' cannot be resolved"):
        found(dns, authority)


def test_an_international_domain_is_looked_up_as_dns_has_it(
    dns: DnsServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "NAMES", {"imap": ()})
    with pytest.raises(NotDiscovered, match="nothing to try"):
        found(dns, authority, address="desk@bücher.example")
    assert dns.asked == ["_imaps._tcp.xn--bcher-kva.example", "_imap._tcp.xn--bcher-kva.example"]


def test_a_server_that_is_silent_and_a_dns_that_is_silent_are_bounded(
    dns: DnsServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "DNS_SECONDS", 0.2)
    monkeypatch.setattr(discovery, "TRY_SECONDS", 0.3)
    dns.silent = True
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(discovery, "NAMES", {"imap": (("imap", silent.getsockname()[1], "implicit"),)})
        begins = time.monotonic()
        with pytest.raises(NotDiscovered, match=r"cannot be looked up: LifetimeTimeout.*does not begin with TLS"):
            found(dns, authority)
    assert time.monotonic() - begins < 5


def test_not_all_of_many_servers_that_refuse_are_tried(dns: DnsServer, authority: Authority, refusing: int) -> None:
    dns.records = {"_imaps._tcp.example.com": tuple(f"{each} 1 {refusing} s{each}.example.com." for each in range(40))}
    with pytest.raises(NotDiscovered) as error:
        found(dns, authority)
    assert str(error.value).count("example.com:") == discovery.MAX_TRIES


@pytest.mark.parametrize("server", ["nameserver.example.com", "127.0.0.1:x", "a b", "[::1"])
def test_the_address_of_a_dns_server_is_an_ip_address(server: str) -> None:
    with pytest.raises(InvalidHost):
        resolver_at(server)


@pytest.mark.parametrize(
    ("server", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", 53),
        ("192.0.2.1:5353", "192.0.2.1", 5353),
        ("[::1]:54", "::1", 54),
        ("::1", "::1", 53),
    ],
)
def test_the_address_of_a_dns_server_may_have_a_port(server: str, address: str, port: int) -> None:
    resolver = resolver_at(server)
    assert (list(resolver.nameservers), resolver.port) == ([address], port)


def test_a_server_outside_the_domain_is_known_as_such() -> None:
    inside, outside = Server("imap.example.com", 993, "implicit", by_record=True), "imap.notexample.com"
    assert not inside.is_outside("example.com")
    assert Server(outside, 993, "implicit", by_record=True).is_outside("example.com")


@pytest.mark.req("TI-03")
@pytest.mark.parametrize("address", ["desk@-bad.example", "desk@a b.example", "desk@", "desk@x..example"])
def test_an_address_whose_domain_cannot_be_one_is_refused_before_anything_is_asked(
    dns: DnsServer, authority: Authority, address: str
) -> None:
    with pytest.raises(InvalidHost, match="is not a host name"):
        found(dns, authority, address=address)
    assert dns.asked == []

"""How the console is served: from options of the command, else from the environment."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import field
from typing import Final, Self

from services.console.guards import LOCAL_HOSTS
from services.console.oidc import OidcOptions
from shared.app import NO
from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass

HOST: Final = "127.0.0.1"
PORT: Final = 8025
MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Options:
    """Where it listens and whom it believes.

    `allowed_hosts`: names by which browsers may call it, besides this machine's own. `secure`: browsers reach it by
    HTTPS, through a proxy. `trusted_proxies`: networks whose `user_header` names the signed-in person. `metrics_token`:
    who sends it may read `/metrics`; empty: nobody.
    """

    host: str = HOST
    port: int = PORT
    hosts: frozenset[str] = frozenset()
    secure: bool = False
    trusted_proxies: tuple[str, ...] = ()
    user_header: str = ""
    metrics_token: str = field(default="", repr=False)
    oidc: OidcOptions | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """POSTROOM_CONSOLE_HOST, _PORT, _ALLOWED_HOSTS, _HTTPS, _TRUSTED_PROXIES, _USER_HEADER and _METRICS_TOKEN.

        And those of `OidcOptions`. Raises `Misconfigured` for an invalid port or network.
        """
        return cls(
            environ.get("POSTROOM_CONSOLE_HOST") or HOST,
            _port(environ.get("POSTROOM_CONSOLE_PORT", "")),
            frozenset(_listed(environ.get("POSTROOM_CONSOLE_ALLOWED_HOSTS", "").lower())),
            environ.get("POSTROOM_CONSOLE_HTTPS", "").lower() not in NO,
            _networks(environ.get("POSTROOM_CONSOLE_TRUSTED_PROXIES", "")),
            environ.get("POSTROOM_CONSOLE_USER_HEADER", "").lower(),
            environ.get("POSTROOM_CONSOLE_METRICS_TOKEN", "").strip(),
            OidcOptions.from_environment(environ),
        )

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Every name by which it may be called."""
        return LOCAL_HOSTS | self.hosts

    @property
    def scheme(self) -> str:
        """How browsers reach it."""
        return "https" if self.secure else "http"

    @property
    def cookie(self) -> str:
        """The name of the session's cookie; the prefix binds it to this host (RFC 6265bis, 4.1.3.2)."""
        return "__Host-postroom" if self.secure else "postroom"


def _port(text: str) -> int:
    if not text:
        return PORT
    if not (text.isascii() and text.isdecimal() and int(text) <= MAX_PORT):
        raise Misconfigured(f"POSTROOM_CONSOLE_PORT is {text!r}; write a number from 0 to {MAX_PORT}")
    return int(text)


def _networks(text: str) -> tuple[str, ...]:
    networks = _listed(text)
    for each in networks:
        try:
            ipaddress.ip_network(each, strict=False)
        except ValueError:
            what = "write addresses or networks, such as 192.0.2.1 or 10.0.0.0/8"
            raise Misconfigured(f"POSTROOM_CONSOLE_TRUSTED_PROXIES has {each!r}; {what}") from None
    return networks


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())

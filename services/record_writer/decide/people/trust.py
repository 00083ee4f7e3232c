"""Whether the From address is authentic, from the Authentication-Results of the desk's mail server (RFC 8601).

Only a header whose authserv-id is configured as trusted is believed, and only the topmost of those: the headers below
it may have come with the mail. All its results are weighed: DMARC passes for the address's domain, or, where DMARC says
nothing, DKIM for that domain or one above it. With any other verdict of DMARC, or a value that does not follow the
grammar, the sender is not authenticated. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from services.record_writer.decide.people.authentication_results import Malformed, Result, authserv_id, parse_statement
from shared.addresses import ascii_domain
from shared.contracts.mail import ParsedMail


def is_authenticated(mail: ParsedMail, trusted: Iterable[str]) -> bool:
    """Whether a trusted server states that the domain of the From address is genuine, and there is one such address."""
    sender = mail.from_
    if sender is None or "@" not in sender.address or "several-authors" in mail.defects:
        return False
    domain = _domain(sender.address)
    ours = frozenset(map(_name, trusted))
    stated = next((value for value in mail.routing.authentication_results if _is_ours(value, ours)), None)
    return bool(domain) and stated is not None and _states(stated, domain)


def _is_ours(value: str, ours: frozenset[str]) -> bool:
    return bool(ours) and (named := authserv_id(value)) is not None and _name(named) in ours


def _name(server: str) -> str:
    return ascii_domain(server.lower()) or server.lower()


@lru_cache(maxsize=8)
def _states(value: str, domain: str) -> bool:
    """Whether this value says that mail of this domain is genuine; asked several times of one mail."""
    try:
        statement = parse_statement(value)
    except Malformed:
        return False
    dmarc = [each for each in statement.results if each.method == "dmarc" and each.result != "none"]
    if statement.version != 1 or any(each.result != "pass" for each in dmarc):
        return False
    if dmarc:
        return all(each.version == 1 and _domain(each.properties.get("header.from")) == domain for each in dmarc)
    return any(_is_signed(each, domain) for each in statement.results)


def _is_signed(result: Result, domain: str) -> bool:
    """Whether DKIM passes for the domain or one above it; i= has to lie within d= (RFC 6376, section 3.5)."""
    if (result.method, result.version, result.result) != ("dkim", 1, "pass"):
        return False
    stated = [_domain(result.properties[name]) for name in ("header.d", "header.i") if name in result.properties]
    signed = stated[0] if stated else ""
    return bool(signed) and _is_within(domain, signed) and all(_is_within(each, signed) for each in stated)


def _is_within(domain: str, above: str) -> bool:
    return domain == above or (domain.endswith(f".{above}") and "." in above)


def _domain(address: str | None) -> str:
    """The domain of an address, or of `@domain`, or the domain itself; "" when there is none that can be compared."""
    return (ascii_domain((address or "").rpartition("@")[2]) or "").removesuffix(".")

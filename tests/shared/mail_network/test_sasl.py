"""Mechanisms: the exchanges as their documents show them, and the choice that auto makes."""

from __future__ import annotations

import pytest

from shared.contracts.errors import Misconfigured
from shared.mail_network import sasl
from shared.mail_network.sasl import Credentials, Policy

WHO = Credentials("tim", "tanstaaftanstaaf")
TLS, CLEAR = Policy(encrypted=True), Policy(encrypted=False)
ALL = {row.name for row in sasl.TABLE}


def begin(key: str, who: Credentials = WHO) -> sasl.Responder:
    return sasl.responder(sasl.named(key, TLS), who)


def test_cram_md5_as_in_rfc_2195() -> None:
    answer = begin("cram-md5")(b"<1896.697170952@postoffice.reston.mci.net>")
    assert answer == b"tim b913a602c7eda7a495b4e6e7334d3890"


def test_plain_as_in_rfc_4616() -> None:
    assert begin("plain")(b"") == b"\0tim\0tanstaaftanstaaf"


def test_login_answers_in_order() -> None:
    answer = begin("login")
    assert [answer(b"Username:"), answer(b"Password:"), answer(b"?")] == [b"tim", b"tanstaaftanstaaf", b""]


def test_xoauth2_answers_an_error_with_nothing() -> None:
    who = Credentials("tim", token=lambda *, refresh: "fresh" if refresh else "t0ken")
    answer = begin("xoauth2", who)
    assert [answer(b""), answer(b'{"status":"401"}')] == [b"user=tim\1auth=Bearer t0ken\1\1", b""]


@pytest.mark.req("IV-09")
@pytest.mark.parametrize(
    ("offered", "policy", "chosen"),
    [
        (ALL, TLS, "cram-md5"),
        ({"PLAIN", "LOGIN"}, TLS, "plain"),
        ({"LOGIN"}, TLS, "login"),
        (ALL, CLEAR, "cram-md5"),
        ({"PLAIN", "LOGIN"}, CLEAR, None),
        ({"PLAIN", "LOGIN"}, Policy(encrypted=False, allow_cleartext=True), "plain"),
        (ALL, Policy(encrypted=True, fips=True), "plain"),
        ({"GSSAPI", "X-UNHEARD-OF"}, TLS, None),
    ],
)
def test_auto_takes_the_best_that_is_offered_and_allowed(offered: set[str], policy: Policy, chosen: str | None) -> None:
    best = next(sasl.usable(offered, WHO, policy), None)
    assert (best.key if best else None) == chosen


def test_auto_prefers_a_token_when_there_is_one() -> None:
    who = Credentials("tim", "password", lambda *, refresh: str(refresh))
    assert next(sasl.usable(ALL, who, TLS)).key == "xoauth2"


@pytest.mark.req("IV-11")
def test_fips_refuses_md5() -> None:
    with pytest.raises(Misconfigured, match="MD5"):
        sasl.named("cram-md5", Policy(encrypted=True, fips=True))


@pytest.mark.parametrize("key", ["gssapi", "scram-sha-256", "digest-md5", "ntlm", "msn", "apop", "nonsense"])
def test_method_that_is_not_carried_is_refused_by_name(key: str) -> None:
    with pytest.raises(Misconfigured, match=key):
        sasl.named(key, TLS)


def test_missing_password_is_said() -> None:
    with pytest.raises(Misconfigured, match="password"):
        begin("plain", Credentials("tim"))

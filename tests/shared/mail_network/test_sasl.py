"""Login methods: the exchanges as their documents show them, and the choice that auto makes."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from shared.config.checks import METHODS
from shared.config.keys import AUTH_WORDS
from shared.contracts.errors import Misconfigured, PostroomError
from shared.mail_network import extras, logins, sasl
from shared.mail_network.connection import AuthenticationRefused, CleartextRefused, Unreachable
from shared.mail_network.logins import Offer, Policy, ServerReply
from shared.mail_network.sasl import Credentials, Exchange, Login, Mechanism

WHO = Credentials("tim", "tanstaaftanstaaf")
TLS, CLEAR = Policy(encrypted=True), Policy(encrypted=False)
ALL = {row.name for row in sasl.TABLE if row.start}


class Source:
    """Tokens that are numbered."""

    def __init__(self) -> None:
        self.number = 1

    def token(self) -> str:
        return f"t0ken{self.number}"

    def rejected(self) -> None:
        self.number += 1


def begin(key: str, who: Credentials = WHO, **options: str) -> Exchange:
    row = next(row for row in sasl.TABLE if row.key == key)
    assert row.start is not None
    return row.start(Login(who, **({"service": "imap", "host": "elwood.innosoft.com"} | options)))  # type: ignore[arg-type]


def test_cram_md5_as_in_rfc_2195() -> None:
    answer = begin("cram-md5").answer(b"<1896.697170952@postoffice.reston.mci.net>")
    assert answer == b"tim b913a602c7eda7a495b4e6e7334d3890"


def test_plain_as_in_rfc_4616() -> None:
    assert begin("plain").answer(b"") == b"\0tim\0tanstaaftanstaaf"


def test_login_answers_in_order() -> None:
    answer = begin("login").answer
    assert [answer(b"Username:"), answer(b"Password:"), answer(b"?")] == [b"tim", b"tanstaaftanstaaf", b""]


def test_xoauth2_answers_an_error_with_nothing() -> None:
    answer = begin("xoauth2", Credentials("tim", tokens=Source())).answer
    assert [answer(b""), answer(b'{"status":"401"}')] == [b"user=tim\1auth=Bearer t0ken1\1\1", b""]


def test_oauthbearer_as_in_rfc_7628() -> None:
    who = Credentials("user=x@example.com", tokens=Source())
    answer = begin("oauthbearer", who, host="server.example.com").answer
    first = b"n,a=user=3Dx@example.com,\1host=server.example.com\1port=0\1auth=Bearer t0ken1\1\1"
    assert [answer(b""), answer(b'{"status":"invalid_token"}')] == [first, b"\1"]


CHALLENGE = b'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8'


@pytest.fixture
def digest(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    monkeypatch.setattr("shared.mail_network.sasl.secrets.token_hex", lambda _: "OA6MHXh6VqTrRk")
    return begin("digest-md5", Credentials("chris", "secret"))


def test_digest_md5_as_in_rfc_2831(digest: Exchange) -> None:
    answer = digest.answer(CHALLENGE)
    assert b"response=d388dad90d4bbd760a152321f2143af7" in answer
    assert b'digest-uri="imap/elwood.innosoft.com"' in answer
    assert digest.answer(b"rspauth=ea40f60335c427b5527b84dbabcdfffd") == b""
    digest.finish()


def test_digest_md5_wants_the_servers_proof(digest: Exchange) -> None:
    digest.answer(CHALLENGE)
    with pytest.raises(Unreachable, match="without proof"):
        digest.finish()
    with pytest.raises(Unreachable, match="does not prove"):
        digest.answer(b"rspauth=00000000000000000000000000000000")


@pytest.mark.parametrize("challenge", [b"", b"nonsense", b'realm="x"', b'nonce="a",qop="auth-conf"', b'nonce="a'])
def test_a_challenge_that_is_not_digest_md5_is_an_outage(digest: Exchange, challenge: bytes) -> None:
    with pytest.raises(Unreachable, match="DIGEST-MD5"):
        digest.answer(challenge)


def test_digest_md5_takes_the_realm_of_the_user() -> None:
    exchange = begin("digest-md5", Credentials("tim@two.example", "x"))
    assert b'realm="two.example"' in exchange.answer(b'realm="one.example",realm="two.example",nonce="n",qop="auth"')


@pytest.mark.parametrize("key", ["scram-sha-1", "scram-sha-256"])
def test_scram_wants_the_servers_proof(key: str) -> None:
    scramp = pytest.importorskip("scramp")
    server = scramp.ScramMechanism(key.upper())
    info = server.make_auth_info("tanstaaftanstaaf")
    exchange, other = begin(key), server.make_server(lambda _user: info)
    other.set_client_first(exchange.answer(b"").decode())
    other.set_client_final(exchange.answer(other.get_server_first().encode()).decode())
    with pytest.raises(Unreachable, match="without proof"):
        exchange.finish()
    assert exchange.answer(other.get_server_final().encode()) == b""
    exchange.finish()


def test_scram_with_a_wrong_server_is_an_outage() -> None:
    exchange = begin("scram-sha-256")
    exchange.answer(b"")
    with pytest.raises(Unreachable, match="SCRAM"):
        exchange.answer(b"r=someone else's,s=QSXCR+Q6sek8bf92,i=4096")


@pytest.mark.req("IV-09")
@pytest.mark.parametrize(
    ("offered", "policy", "chosen"),
    [
        (ALL, TLS, "scram-sha-256"),
        (ALL - {"SCRAM-SHA-256"}, TLS, "scram-sha-1"),
        ({"DIGEST-MD5", "CRAM-MD5", "NTLM", "PLAIN"}, TLS, "digest-md5"),
        ({"CRAM-MD5", "NTLM", "PLAIN"}, TLS, "cram-md5"),
        ({"NTLM", "PLAIN"}, TLS, "ntlm"),
        ({"PLAIN", "LOGIN"}, TLS, "plain"),
        ({"LOGIN"}, TLS, "login"),
        (set(), TLS, "regular"),
        ({"CRAM-MD5", "PLAIN"}, CLEAR, "cram-md5"),
        ({"PLAIN", "LOGIN"}, CLEAR, None),
        ({"PLAIN", "LOGIN"}, Policy(encrypted=False, allow_cleartext=True), "plain"),
        (ALL, Policy(encrypted=True, fips=True), "scram-sha-256"),
        ({"DIGEST-MD5", "CRAM-MD5", "NTLM", "PLAIN"}, Policy(encrypted=True, fips=True), "plain"),
        ({"GSSAPI", "X-UNHEARD-OF", "SCRAM-SHA-256-PLUS"}, CLEAR, None),
    ],
)
def test_auto_takes_the_best_that_is_offered_and_allowed(offered: set[str], policy: Policy, chosen: str | None) -> None:
    offer = Offer(offered, ("regular",))
    best = next(logins.usable(offer, WHO, policy, "imap"), None)
    assert (best.key if best else None) == chosen


def test_auto_prefers_a_token_when_there_is_one() -> None:
    who = Credentials("tim", "password", Source())
    assert next(logins.usable(Offer(ALL), who, TLS, "imap")).key == "oauthbearer"
    assert next(logins.usable(Offer(ALL - {"OAUTHBEARER"}), who, TLS, "imap")).key == "xoauth2"


def test_auto_goes_on_without_a_library_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sasl, "is_installed", lambda _: False)
    assert next(logins.usable(Offer(ALL), WHO, TLS, "imap")).key == "digest-md5"
    with pytest.raises(Misconfigured, match=r"for NTLM install postroom\[logins\]"):
        logins.log_in(Server(Offer({"NTLM"})), "auto", Login(WHO, "imap", "h"), TLS)


def test_a_library_that_is_missing_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"no_such_library is not installed.*postroom\[logins\]"):
        extras.required("no_such_library", "logins")


@pytest.mark.req("IV-11")
@pytest.mark.parametrize("auth", ["cram-md5", "digest-md5", "ntlm", "msn", "apop"])
def test_fips_refuses_md5(auth: str) -> None:
    with pytest.raises(Misconfigured, match="MD5"):
        logins.named(auth, "pop3", Policy(encrypted=True, fips=True))


@pytest.mark.req("IV-11")
@pytest.mark.parametrize(
    ("protocol", "auth"), [("imap", "apop"), ("smtp", "apop"), ("smtp", "regular"), ("imap", "nonsense")]
)
def test_method_that_the_protocol_lacks_is_refused_by_name(protocol: str, auth: str) -> None:
    with pytest.raises(Misconfigured, match=f"auth {auth} does not exist for {protocol}"):
        logins.named(auth, protocol, TLS)


@pytest.mark.req("IV-11")
@pytest.mark.parametrize(("section", "protocol"), [("inboxes", "imap"), ("inboxes", "pop3"), ("mail_servers", "smtp")])
def test_the_configuration_knows_the_methods_of_the_table(section: str, protocol: str) -> None:
    methods = {row.key for row in sasl.TABLE if protocol in row.protocols} | set(sasl.ALIASES)
    assert set(METHODS[section, protocol]) - {"auto", "none"} == methods
    assert methods <= set(AUTH_WORDS)


def test_missing_password_is_said() -> None:
    with pytest.raises(Misconfigured, match="password"):
        begin("plain", Credentials("tim"))


def test_missing_application_is_said() -> None:
    with pytest.raises(Misconfigured, match="no OAuth application"):
        begin("xoauth2")


@dataclass
class Server:
    """A wire that refuses `refusals` logins."""

    offered: Offer
    refusals: int = 0
    seen: list[bytes] = field(default_factory=list)
    protocol: str = "imap"

    def offer(self) -> Offer:
        return self.offered

    def authenticate(self, row: Mechanism, exchange: Exchange) -> None:
        self.seen.append(exchange.answer(b""))
        if self.refusals:
            self.refusals -= 1
            raise AuthenticationRefused("no")

    def command(self, row: Mechanism, who: Credentials) -> None:
        self.seen.append(row.key.encode())


def test_a_refused_token_is_renewed_once() -> None:
    server = Server(Offer({"XOAUTH2"}), refusals=1)
    logins.log_in(server, "xoauth2", Login(Credentials("tim", tokens=Source()), "imap", "h"), TLS)
    assert [b"t0ken1" in server.seen[0], b"t0ken2" in server.seen[1]] == [True, True]
    server.refusals = 2
    with pytest.raises(AuthenticationRefused):
        logins.log_in(server, "xoauth2", Login(Credentials("tim", tokens=Source()), "imap", "h"), TLS)


def test_a_refused_password_is_not_tried_again() -> None:
    server = Server(Offer({"PLAIN"}), refusals=1)
    with pytest.raises(AuthenticationRefused):
        logins.log_in(server, "auto", Login(WHO, "imap", "h"), TLS)
    assert len(server.seen) == 1


@pytest.mark.parametrize("auth", ["auto", "plain", "regular", "cram-md5"])
def test_a_connection_that_takes_no_login_says_so(auth: str) -> None:
    with pytest.raises(CleartextRefused):
        logins.log_in(Server(Offer((), closed=True)), auth, Login(WHO, "imap", "h"), CLEAR)


def test_a_method_that_is_not_offered_is_named_with_those_that_are() -> None:
    with pytest.raises(Misconfigured, match=r"does not offer CRAM-MD5; it offers LOGIN, PLAIN, regular"):
        logins.log_in(Server(Offer({"PLAIN", "LOGIN"}, ("regular",))), "cram-md5", Login(WHO, "imap", "h"), TLS)


def converse(answers: list[ServerReply], key: str = "plain", longest: int = 512) -> list[str]:
    row = next(row for row in sasl.TABLE if row.key == key)
    lines: list[str] = []

    def send(line: str) -> ServerReply:
        lines.append(line)
        return answers.pop(0)

    logins.converse(row, begin(key), send, longest)
    return lines


def test_the_first_message_travels_with_the_command() -> None:
    assert converse([ServerReply()]) == ["AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm"]


def test_a_first_message_that_is_too_long_waits_for_the_server() -> None:
    assert converse([ServerReply(b""), ServerReply()], longest=40) == ["AUTH PLAIN", "AHRpbQB0YW5zdGFhZnRhbnN0YWFm"]


def test_a_server_that_asks_first_is_answered() -> None:
    assert converse([ServerReply(b"VXNlcm5hbWU6"), ServerReply(b"UGFzc3dvcmQ6"), ServerReply()], "login") == [
        "AUTH LOGIN",
        "dGlt",
        "dGFuc3RhYWZ0YW5zdGFhZg==",
    ]


@pytest.mark.parametrize(
    ("answers", "kind", "said"),
    [
        ([ServerReply(b"*nonsense*")], Unreachable, "base64"),
        ([ServerReply(b"")] * 20, Unreachable, "do not end"),
        ([ServerReply(refusal=AuthenticationRefused("535 no"))], AuthenticationRefused, "535"),
    ],
)
def test_an_exchange_ends(answers: list[ServerReply], kind: type[PostroomError], said: str) -> None:
    with pytest.raises(kind, match=said):
        converse(answers, "login")

"""OAuth tokens against a stub of a token endpoint over TLS, with the answers that Microsoft and Google document."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.clock import SystemClock
from shared.config.model import Google, Inbox, MailServer, OAuth
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured, PostroomError, Unavailable
from shared.embedded.documents import EmbeddedDocuments
from shared.mail_network.connection import AuthenticationRefused, TlsFailed, Unreachable, Unresolved
from shared.mail_network.tokens import Tokens, TokenSource
from shared.store.refresh_tokens import REFRESH_TOKENS, StoredRefreshTokens
from tests.servers.presence import PATIENCE_SECONDS, closed_port
from tests.servers.tls import Certificate
from tests.servers.token_endpoint import TENANT, TokenEndpoint


@pytest.fixture
def endpoint(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenEndpoint]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    monkeypatch.setenv("APP_SECRET", "s3cret")
    monkeypatch.setenv("SIGN_IN", "refresh0")
    with TokenEndpoint(certificate) as running:
        yield running


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[EmbeddedDocuments]:
    store = EmbeddedDocuments(tmp_path / "data")
    yield store
    store.close()


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def tokens(documents: EmbeddedDocuments, time: Time) -> Tokens:
    return Tokens(stored(documents), monotonic=time)


def stored(documents: EmbeddedDocuments, *keys: str) -> StoredRefreshTokens:
    return StoredRefreshTokens(documents, SystemClock(), lambda: [each.encode() for each in keys or ("k" * 32,)])


def application(stub: TokenEndpoint, **options: object) -> OAuth:
    given: dict[str, object] = {"client_id": "app", "tenant_id": TENANT, "client_secret": Secret("${APP_SECRET}")}
    return OAuth(**(given | {"authority": stub.authority} | options))  # type: ignore[arg-type]


def inbox(oauth: OAuth | None = None, **options: object) -> Inbox:
    given: dict[str, object] = {"name": "support", "address": "support@example.com", "protocol": "imap"}
    return Inbox(**(given | {"host": "mail.example.com", "oauth": oauth} | options))  # type: ignore[arg-type]


def source(tokens: Tokens, end: Inbox | MailServer) -> TokenSource:
    found = tokens.of(end)
    assert found is not None
    return found


@pytest.mark.req("TI-02")
def test_an_application_gets_a_token_by_its_secret(endpoint: TokenEndpoint, tokens: Tokens) -> None:
    assert source(tokens, inbox(application(endpoint))).token() == "token1"
    (asked,) = endpoint.requests
    assert (asked["client_id"], asked["client_secret"], asked["grant_type"]) == ("app", "s3cret", "client_credentials")
    assert asked["scope"].split()[0] == "https://outlook.office365.com/.default"


@pytest.mark.req("TI-02")
@pytest.mark.parametrize(
    ("protocol", "options", "scope"),
    [
        ("graph", {}, "https://graph.microsoft.com/.default"),
        ("graph", {"endpoint": "https://graph.microsoft.us/"}, "https://graph.microsoft.us/.default"),
        ("ews", {}, "https://outlook.office365.com/.default"),
        ("pop3", {"resource": "https://partner.outlook.cn"}, "https://partner.outlook.cn/.default"),
    ],
)
def test_the_scope_is_that_of_the_protocol_and_cloud(
    endpoint: TokenEndpoint, tokens: Tokens, protocol: str, options: dict[str, str], scope: str
) -> None:
    source(tokens, inbox(application(endpoint, **options), protocol=protocol)).token()
    assert endpoint.requests[0]["scope"].split()[0] == scope


@pytest.mark.req("TI-41")
def test_a_mail_server_shares_the_token_of_its_application(endpoint: TokenEndpoint, tokens: Tokens) -> None:
    oauth = application(endpoint)
    server = MailServer("out", host="smtp.example.com", username="support@example.com", oauth=oauth)
    assert [source(tokens, end).token() for end in (inbox(oauth), server)] == ["token1", "token1"]
    assert len(endpoint.requests) == 1


def test_a_certificate_identifies_the_application(
    endpoint: TokenEndpoint, tokens: Tokens, certificate: Certificate, tmp_path: Path
) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=app"),
            *("-keyout", str(tmp_path / "app.key"), "-out", str(tmp_path / "app.pem")),
        ],
        check=True,
        capture_output=True,
    )
    both = tmp_path / "both.pem"
    both.write_text((tmp_path / "app.key").read_text() + (tmp_path / "app.pem").read_text())
    oauth = application(endpoint, client_secret=None, client_certificate=Secret(f"file:{both}"))
    assert source(tokens, inbox(oauth)).token() == "token1"
    asked = endpoint.requests[0]
    assert asked["client_assertion_type"].endswith("jwt-bearer")
    assert "client_secret" not in asked


def test_a_token_is_kept_until_shortly_before_its_end(endpoint: TokenEndpoint, tokens: Tokens, time: Time) -> None:
    end = inbox(application(endpoint))
    assert source(tokens, end).token() == "token1"
    time.now += 3600 - 301
    assert source(tokens, end).token() == "token1"
    time.now += 2
    assert source(tokens, end).token() == "token2"


def test_a_refused_token_is_replaced_once_for_all_who_had_it(endpoint: TokenEndpoint, tokens: Tokens) -> None:
    end = inbox(application(endpoint))
    one, other = source(tokens, end), source(tokens, end)
    assert (one.token(), other.token()) == ("token1", "token1")
    one.rejected()
    assert one.token() == "token2"
    other.rejected()  # it means token1
    assert other.token() == "token2"


def test_a_token_that_is_still_valid_bridges_an_outage(endpoint: TokenEndpoint, tokens: Tokens, time: Time) -> None:
    end = inbox(application(endpoint))
    assert source(tokens, end).token() == "token1"
    endpoint.answers = [(503, "busy")] * 9
    time.now += 3500
    assert source(tokens, end).token() == "token1"
    time.now += 101
    with pytest.raises(Unavailable):
        source(tokens, end).token()


def test_a_failure_is_remembered_for_a_moment(endpoint: TokenEndpoint, tokens: Tokens, time: Time) -> None:
    end = inbox(application(endpoint))
    endpoint.answers = [(503, "busy")]
    for _ in range(3):
        with pytest.raises(Unreachable, match="503"):
            source(tokens, end).token()
    assert len(endpoint.requests) == 1
    time.now += 16
    assert source(tokens, end).token() == "token1"


def test_an_endpoint_that_hangs_delays_no_other_application(endpoint: TokenEndpoint, tokens: Tokens) -> None:
    with TokenEndpoint(endpoint.certificate, hold=threading.Event()) as slow:
        waiting = threading.Thread(target=lambda: _try(source(tokens, inbox(application(slow)))), daemon=True)
        waiting.start()
        while not slow.requests:
            threading.Event().wait(0.01)
        assert source(tokens, inbox(application(endpoint))).token() == "token1"
        assert slow.hold is not None
        slow.hold.set()
        waiting.join(PATIENCE_SECONDS)


def _try(found: TokenSource) -> None:
    found.token()


def refusal(code: int, name: str = "invalid_client") -> tuple[int, dict[str, object]]:
    said = f"AADSTS{code}: Something is wrong. Trace ID: 1234 Correlation ID: 5678 Timestamp: 2026-11-27 04:00:00Z"
    return 401, {"error": name, "error_description": said, "error_codes": [code]}


REFUSALS = {
    7000215: "client_secret takes the secret's value, not its id",
    7000222: "the client secret has expired",
    700016: "verify client_id and tenant_id",
    700027: "upload it to the application's registration",
    500011: "the resource is not known",
    65001: "has not consented",
    53003: "conditional access",
    999999: "the token endpoint refuses: invalid_client AADSTS999999: Something is wrong.",
}


@pytest.mark.req("TI-02")
@pytest.mark.parametrize(("code", "remedy"), REFUSALS.items(), ids=map(str, REFUSALS))
def test_a_refusal_names_the_remedy(endpoint: TokenEndpoint, tokens: Tokens, code: int, remedy: str) -> None:
    endpoint.answers = [refusal(code)]
    with pytest.raises(AuthenticationRefused) as found:
        source(tokens, inbox(application(endpoint))).token()
    assert remedy in str(found.value)
    assert "Trace ID" not in str(found.value)
    assert "s3cret" not in str(found.value)


BUSY = {
    "too many requests": refusal(50196, "invalid_grant"),
    "unavailable": (400, {"error": "temporarily_unavailable", "error_description": "try later"}),
    "status 500": (500, "oops"),
    "no JSON": (200, "<html>proxy login</html>"),
}


@pytest.mark.parametrize("answer", BUSY.values(), ids=BUSY)
def test_an_endpoint_that_cannot_answer_is_an_outage(
    endpoint: TokenEndpoint, tokens: Tokens, answer: tuple[int, object]
) -> None:
    endpoint.answers = [answer]
    with pytest.raises(Unreachable):
        source(tokens, inbox(application(endpoint))).token()


def test_a_wrong_tenant_is_named(endpoint: TokenEndpoint, tokens: Tokens) -> None:
    with pytest.raises(Misconfigured, match="verify authority and tenant_id"):
        source(tokens, inbox(application(endpoint, tenant_id="nobody"))).token()


@pytest.mark.req("TI-05")
def test_an_endpoint_with_an_untrusted_certificate_gets_no_secret(
    endpoint: TokenEndpoint, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(TlsFailed, match=r"certificate of localhost:\d+ is not valid"):
        source(tokens, inbox(application(endpoint))).token()
    assert endpoint.requests == []


def test_nobody_answers_at_the_authority(tokens: Tokens, endpoint: TokenEndpoint) -> None:
    with closed_port() as port, pytest.raises(Unreachable, match="cannot be reached"):
        source(tokens, inbox(application(endpoint, authority=f"https://localhost:{port}"))).token()


def test_the_name_of_the_authority_is_not_known(tokens: Tokens, endpoint: TokenEndpoint) -> None:
    with pytest.raises(Unresolved, match=r"nowhere\.invalid"):
        source(tokens, inbox(application(endpoint, authority="https://nowhere.invalid"))).token()


# sign-ins


def signed_in(endpoint: TokenEndpoint) -> Inbox:
    return inbox(application(endpoint, client_secret=None, refresh_token=Secret("${SIGN_IN}")))


def test_a_rotated_refresh_token_outlives_the_process(
    endpoint: TokenEndpoint, documents: EmbeddedDocuments, time: Time
) -> None:
    endpoint.rotate = True
    end = signed_in(endpoint)
    assert source(Tokens(stored(documents), monotonic=time), end).token() == "token1"
    assert source(Tokens(stored(documents), monotonic=time), end).token() == "token2"
    assert [each["refresh_token"] for each in endpoint.requests] == ["refresh0", "refresh1"]


def test_a_refresh_token_is_stored_encrypted(
    endpoint: TokenEndpoint, tokens: Tokens, documents: EmbeddedDocuments
) -> None:
    endpoint.rotate = True
    source(tokens, signed_in(endpoint)).token()
    (entry,) = documents.find(REFRESH_TOKENS, {})
    assert "refresh" not in str(entry)
    assert stored(documents).get("refresh0") == "refresh1"


def test_a_new_sign_in_replaces_the_old_one(
    endpoint: TokenEndpoint, documents: EmbeddedDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.rotate = True
    source(Tokens(stored(documents)), signed_in(endpoint)).token()
    monkeypatch.setenv("SIGN_IN", "another")
    source(Tokens(stored(documents)), signed_in(endpoint)).token()
    assert endpoint.requests[-1]["refresh_token"] == "another"


def test_another_key_begins_with_the_refresh_token_of_the_configuration(documents: EmbeddedDocuments) -> None:
    stored(documents).put("first", "second")
    assert stored(documents, "another key").get("first") == "first"


def test_after_a_change_of_the_key_an_older_one_still_decrypts_until_the_next_token(
    documents: EmbeddedDocuments,
) -> None:
    old, new = "o" * 32, "n" * 32
    stored(documents, old).put("first", "second")
    changed = stored(documents, new, old)
    assert changed.get("first") == "second"
    changed.put("first", "third")
    assert (stored(documents, new).get("first"), stored(documents, old).get("first")) == ("third", "first")
    assert len(list(documents.find(REFRESH_TOKENS, {}))) == 1


def test_a_sign_in_that_ended_says_so(endpoint: TokenEndpoint, tokens: Tokens) -> None:
    endpoint.answers = [refusal(700082, "invalid_grant")]
    with pytest.raises(AuthenticationRefused, match="sign in again"):
        source(tokens, signed_in(endpoint)).token()


# Google


@pytest.fixture(scope="module")
def private_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("google") / "key.pem"
    command = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path.read_text()


def google_inbox(endpoint: TokenEndpoint, private_key: str, folder: Path, **options: object) -> Inbox:
    file = folder / "google.json"
    file.write_text(json.dumps({"private_key": private_key, "token_uri": endpoint.token_uri}))
    account = Google("robot@project.iam.gserviceaccount.com", Secret(f"file:{file}"))
    return inbox(google=account, **options)


@pytest.mark.req("TI-02")
@pytest.mark.parametrize(
    ("protocol", "scope"),
    [("imap", "https://mail.google.com/"), ("gmail", "https://www.googleapis.com/auth/gmail.modify")],
)
def test_a_service_account_acts_for_the_user_of_the_mailbox(
    endpoint: TokenEndpoint, tokens: Tokens, private_key: str, tmp_path: Path, protocol: str, scope: str
) -> None:
    import jwt

    end = google_inbox(endpoint, private_key, tmp_path, protocol=protocol)
    assert source(tokens, end).token() == "token1"
    claims = jwt.decode(endpoint.requests[0]["assertion"], options={"verify_signature": False})
    assert (claims["iss"], claims["sub"], claims["scope"]) == (
        "robot@project.iam.gserviceaccount.com",
        "support@example.com",
        scope,
    )


GOOGLE_REFUSALS: dict[str, tuple[tuple[int, object], type[PostroomError], str]] = {
    "no delegation": (
        (401, {"error": "unauthorized_client", "error_description": "Client is unauthorized"}),
        AuthenticationRefused,
        "domain-wide delegation",
    ),
    "no such user": (
        (400, {"error": "invalid_grant", "error_description": "Invalid email or User ID"}),
        AuthenticationRefused,
        "verify that support@example.com exists",
    ),
    "busy": ((503, {"error": "internal_failure"}), Unreachable, "cannot answer now"),
}


@pytest.mark.parametrize(("answer", "kind", "said"), GOOGLE_REFUSALS.values(), ids=GOOGLE_REFUSALS)
def test_what_google_refuses_is_named(
    endpoint: TokenEndpoint,
    tokens: Tokens,
    private_key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, object],
    kind: type[PostroomError],
    said: str,
) -> None:
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _: None)
    endpoint.answers = [answer] * 5
    with pytest.raises(kind, match=said):
        source(tokens, google_inbox(endpoint, private_key, tmp_path)).token()


def test_an_invalid_key_is_named(endpoint: TokenEndpoint, tokens: Tokens, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"google\.private_key"):
        source(tokens, google_inbox(endpoint, "no key", tmp_path)).token()


def test_without_an_application_there_is_no_source(tokens: Tokens) -> None:
    assert tokens.of(inbox()) is None

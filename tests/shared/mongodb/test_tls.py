"""MongoDB over TLS: whose certificate is accepted, for which host, and what is said when it is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.queues import QUEUES
from shared.app import App, Location
from shared.contracts.errors import Misconfigured, Unavailable
from shared.mongodb.documents import MongoDocuments
from tests.conformance.lanes import eventually
from tests.servers.mongodb import MongoServer
from tests.servers.proxy import Proxy
from tests.servers.tls import Authority

Behind = Callable[..., str]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def behind_tls(
    mongodb: MongoServer, mongodb_database: str, authority: Authority, tcp_proxy: Callable[..., Proxy]
) -> Behind:
    """The URL of the shared server behind TLS with a certificate for this name; `options` are added to it."""
    target = urlsplit(mongodb.url)

    def url(name: str = "localhost", options: str = "", *, clients: bool = False) -> str:
        made = authority.for_server(name) if clients else authority.issue(name)
        proxy = tcp_proxy(target.hostname, target.port, made.server_context())
        return f"mongodb://localhost:{proxy.port}/{mongodb_database}?directConnection=true&tls=true{options}"

    return url


def test_a_whole_desk_starts_on_mongodb_with_an_own_authority(
    behind_tls: Behind, authority: Authority, tmp_path: Path
) -> None:
    environ = {"POSTROOM_STORE_URL": behind_tls(), "POSTROOM_CA_FILE": str(authority.certificate)}
    app = App.open(Location.from_environment(environ, tmp_path / "data"), QUEUES)
    try:
        assert app.documents.insert("tests", {"_id": "a", "n": 1})
        assert app.documents.get("tests", "a") == {"_id": "a", "n": 1}
    finally:
        app.close()


@pytest.mark.parametrize(
    ("name", "trusted", "why"),
    [
        ("localhost", False, "unable to get local issuer certificate"),
        ("db.example.com", True, "Hostname mismatch, certificate is not valid for 'localhost'"),
    ],
    ids=["issuer", "name"],
)
def test_an_untrusted_certificate_is_refused(
    behind_tls: Behind, authority: Authority, name: str, trusted: bool, why: str
) -> None:
    url, ca_file = behind_tls(name), str(authority.certificate) if trusted else None
    documents = MongoDocuments(url, deadline=timedelta(seconds=2), ca_file=ca_file)
    place = url.removeprefix("mongodb://").partition("/")[0]
    said = eventually(lambda: None if "certificate" not in (found := refusal(documents)) else found)
    assert said == f"the certificate of MongoDB at {place} is not trusted: {why}"
    documents.close()


def refusal(documents: MongoDocuments) -> str:
    """Why the server cannot be asked; on a busy machine that it does not answer in time, before the handshake ends."""
    with pytest.raises(Unavailable) as refused:
        documents.ping()
    return str(refused.value)


def test_the_file_of_the_url_wins_and_a_client_certificate_is_shown(
    behind_tls: Behind, authority: Authority, tmp_path: Path
) -> None:
    options = f"&tlsCAFile={authority.certificate}"
    url = behind_tls(options=f"{options}&tlsCertificateKeyFile={authority.issue('desk').together}", clients=True)
    documents = MongoDocuments(url, ca_file=str(tmp_path / "gone.pem"))
    documents.ping()
    documents.close()
    anonymous = MongoDocuments(behind_tls(options=options, clients=True), deadline=timedelta(seconds=2))
    with pytest.raises(Unavailable, match="cannot be reached"):
        anonymous.ping()
    anonymous.close()


def test_without_tls_in_the_url_the_file_has_no_effect(mongodb_url: str, authority: Authority) -> None:
    documents = MongoDocuments(mongodb_url, ca_file=str(authority.certificate))
    documents.ping()
    documents.close()


@pytest.mark.parametrize(("content", "why"), [(None, "No such file or directory"), ("x", "no certificate in PEM form")])
def test_a_file_of_authorities_that_cannot_be_read_is_named(tmp_path: Path, content: str | None, why: str) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    with pytest.raises(Misconfigured, match=why):
        MongoDocuments("mongodb://localhost:1/?tls=true", ca_file=str(file))

"""The result of a connection test, in the documented sentences (IV-08).

A test reports one thing: the failure with the highest priority, or that all is well. The sentences are those
that administrators know from the products that Postroom replaces, in the terms of mail protocols. Separate
from the protocols, so that IMAP, SMTP and the others answer alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from shared.contracts.errors import Misconfigured, PostroomError
from shared.contracts.mapping import STORE
from shared.lazy_dataclass import dataclass
from shared.mail_network.connection import (
    AuthenticationRefused,
    CleartextRefused,
    NotHttps,
    Refusal,
    Step,
    Throttled,
    Unresolved,
)

OK = "The connection works."
FORBIDDEN = (
    "The request failed. The server refuses a login without encryption. Use TLS (implicit or starttls) instead of none."
)
HTTP = "The request failed. No login is sent over HTTP. Use HTTPS instead of HTTP."
URL = "Invalid URL: The host name could not be parsed. There is an invalid URL in the Host field. Verify the URL."
NAME = (
    "The request failed. The remote name could not be resolved: '{detail}'. "
    "There is an invalid URL in the Host field. Verify the URL to check for typos."
)
CONNECT = "The request failed. The server could not be reached: {detail}. Verify host, port and TLS."
THROTTLED = "The request failed. The server limits requests; they are repeated later. Details: {detail}."
TLS = "The request failed. No secure connection could be made: {detail}. Verify the certificate and the TLS setting."
LOGIN = (
    "The request failed. The server refused the login. "
    "The credentials (user name or password) are invalid. Verify the credentials."
)
METHOD = "The request failed. No login was possible: {detail}"
INBOX = (
    "Inbox folder not found! The name of the inbox folder is invalid. "
    "If you are using Microsoft Office 365, there may be an access permission issue. "
    "Details: {detail}."
)
ARCHIVE = "Archive folder not found! The name of the archive folder is invalid. Details: {detail}."
WILL_BE_CREATED = "The archive folder '{folder}' does not exist yet and will be created."
_SENTENCES = {
    Step.URL: URL,
    Step.NAME: NAME,
    Step.CONNECT: CONNECT,
    Step.TLS: TLS,
    Step.LOGIN: LOGIN,
    Step.INBOX: INBOX,
    Step.ARCHIVE: ARCHIVE,
}


STORED = replace(STORE, write={Step: str}, read={Step: Step})
"""How a result is stored."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """The outcome of a connection test: `step` names what failed (`Step.DONE`: nothing did).

    `message` is the sentence to show, `detail` what the server or the library said, `notes` what is worth knowing
    though nothing failed.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    ok: bool
    step: Step
    message: str
    at: datetime
    detail: str = ""
    notes: tuple[str, ...] = ()

    @property
    def in_full(self) -> str:
        """The message, and behind it what the server or the library said, unless the message has it already."""
        return self.message if self.detail in self.message else f"{self.message} ({self.detail})"


def passed(at: datetime, notes: tuple[str, ...] = ()) -> TestResult:
    """Everything was found in order."""
    return TestResult(ok=True, step=Step.DONE, message=" ".join((OK, *notes)), at=at, notes=notes)


def failed(error: PostroomError, at: datetime) -> TestResult:
    """The sentence for what went wrong."""
    detail = str(error)
    step = error.step if isinstance(error, Refusal) else Step.LOGIN
    said = error.host if isinstance(error, Unresolved) else detail
    return TestResult(ok=False, step=step, message=_sentence(error, step).format(detail=said), at=at, detail=detail)


def _sentence(error: PostroomError, step: Step) -> str:
    if isinstance(error, NotHttps):
        return HTTP
    if isinstance(error, Throttled):
        return THROTTLED
    if isinstance(error, CleartextRefused):
        return FORBIDDEN
    if isinstance(error, Misconfigured) and not isinstance(error, Refusal):
        return METHOD
    if step is Step.LOGIN and not isinstance(error, AuthenticationRefused):
        return METHOD
    return _SENTENCES[step]


def tested(check: Callable[[], tuple[str, ...]], now: Callable[[], datetime]) -> TestResult:
    """Run `check`, which returns notes or raises an error of Postroom; return the result."""
    try:
        return passed(now(), check())
    except PostroomError as error:
        return failed(error, now())

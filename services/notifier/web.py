"""What sending by Microsoft Graph and by the Gmail API shares: a request without an answer may have sent the mail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.notifier.smtp import Uncertain
from shared.mail_network.web import AnswerLost, ServerFailed

NO_ANSWER = frozenset({502, 504})
"""Statuses of a gateway that had no answer from the mail system."""


@contextmanager
def uncertain_without_answer() -> Iterator[None]:
    """Raise `Uncertain` when the request that sends got no answer."""
    try:
        yield
    except AnswerLost as error:
        raise Uncertain(str(error)) from error
    except ServerFailed as error:
        if error.status in NO_ANSWER:
            raise Uncertain(str(error)) from error
        raise

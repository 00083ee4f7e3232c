"""A skeleton of a stage: the subject counter notes how long the subject of an accepted mail is.

Reads MailAccepted, emits nothing. A stage is this docstring, `handle`, its helpers in order of use, and `build`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from services.queues import FILTER
from shared.app import App
from shared.config.model import Configuration
from shared.contracts.errors import PostroomError
from shared.contracts.events import MailAccepted
from shared.runtime.envelope import reader
from shared.runtime.outcome import Emit, Fail, Outcome
from shared.runtime.stage import Stage


def handle(accepted: MailAccepted, *, configuration: Callable[[], Configuration]) -> Outcome:
    """An event in, an outcome out. What the stage may touch is visible in the signature.

    Raises `PostroomError` for what a person has to put right: the worker makes a dead letter of it.
    """
    inbox = configuration().inbox(accepted.envelope.inbox)
    if inbox is None:
        raise PostroomError(f"the inbox {accepted.envelope.inbox!r} is gone")
    if not accepted.mail.subject:
        return Fail("the mail has no subject to count", accepted.envelope.mail_id)
    return Emit(note=f"{_length(accepted)} characters", mail_id=accepted.envelope.mail_id)


def _length(accepted: MailAccepted) -> int:
    return len(accepted.mail.subject)


def build(app: App) -> Stage:
    """The stage on an app's configuration, for `STAGES` in `services/pipeline.py`.

    A new stage adds its own queue to `services/queues.py`; the skeleton borrows one.
    """
    decide = partial(handle, configuration=app.directory.current)
    return Stage("subject-counter", FILTER, decide, reader(app.documents, MailAccepted))

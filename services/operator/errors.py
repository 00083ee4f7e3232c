"""Errors of an operator's request: one sentence, shown by the command line and a console alike."""

from __future__ import annotations

from shared.contracts.errors import PostroomError


class NotAvailable(PostroomError):
    """The thing asked for does not exist, or the action does not fit it; the message says which."""


class UnknownName(PostroomError):
    """The request has a name that the configuration does not know; the message says which are known."""

"""What an operator asked for and cannot have: one sentence, shown by every face."""

from __future__ import annotations

from shared.contracts.errors import PostroomError


class NotAvailable(PostroomError):
    """The thing asked for does not exist, or the action does not fit it; the message says which."""

"""The errors that Postroom itself raises. Adapters translate what their libraries raise into these."""

from __future__ import annotations


class PostroomError(Exception):
    """Something that a person can read and act upon."""


class Unavailable(PostroomError):
    """A dependency is unavailable (store, broker, mail server). Never counts as an attempt; ask again later."""


class Misconfigured(PostroomError):
    """A setting is missing or wrong. The message names the place and the remedy."""


class BoundExceeded(PostroomError):
    """A mail or message exceeds a bound; `bound` is the bound's stable name, `detail` says by how much."""

    def __init__(self, bound: str, detail: str = "") -> None:
        super().__init__(f"{bound}: {detail}" if detail else bound)
        self.bound, self.detail = bound, detail


class Undecodable(PostroomError):
    """A message on a queue is not what the contract says."""


class NewerVersion(PostroomError):
    """A message has a newer version than this code knows; a newer worker may be able to read it."""


class Unsupported(PostroomError):
    """The document port was asked for something outside its named vocabulary."""

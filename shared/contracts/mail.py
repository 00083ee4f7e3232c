"""What a mail says, once it has been read.

`ParsedMail` is the contract between the parser and everything behind it, and what `postroom parse`
prints. It holds facts that the mail claims; whether to believe them is decided later.
"""

from __future__ import annotations

from typing import Literal

from shared.lazy_dataclass import dataclass

Kind = Literal["message", "bounce", "report", "auto-reply", "receipt", "calendar", "challenge"]
"""`bounce`: delivery failed or delayed; `report`: delivered, or an abuse report (RFC 3464, 5965);
`receipt`: disposition notification (RFC 8098); `challenge`: a robot asks the sender for a proof of being human."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox as the mail writes it: display name decoded, domain in lower case and ASCII (RFC 5890)."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part kept as a file. `size` in bytes after decoding; the bytes are found by `sha256`."""

    filename: str
    content_type: str
    size: int
    sha256: str
    inline: bool = False
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class BouncedRecipient:
    """What a delivery report says of one recipient (RFC 3464 section 2.3; status RFC 3463).

    `permanent` is False for a delay or a temporary failure, None when the report does not say.
    """

    address: str
    action: str | None = None
    status: str | None = None
    smtp_code: int | None = None
    permanent: bool | None = None
    reason: str | None = None
    diagnostic: str | None = None


@dataclass(frozen=True, slots=True)
class Bounce:
    """A delivery report, one entry a recipient. `message_ids`: of the mail that it returns, as far as it says."""

    recipients: tuple[BouncedRecipient, ...] = ()
    message_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routing:
    """Header facts that decide about answering, loops and trust, not about meaning.

    `return_path` is None when absent and "" for the null path `<>`; `loop` are the values of
    X-Postroom-Loop; `authentication_results` the raw values, topmost first (RFC 8601).
    """

    return_path: str | None = None
    auto_submitted: str | None = None
    loop: tuple[str, ...] = ()
    authentication_results: tuple[str, ...] = ()
    delivered_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a reply. `kind`: `new`, the sender wrote it now; `unannounced`, it looks like a quotation, but nothing
    proves that it is one. `head`: the lines that would announce it.
    """

    kind: Literal["new", "unannounced"]
    text: str
    head: str = ""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The mail that a forward passes on, as its outermost header block or the attached mail states it.

    `sender` is None when no address can be read there. `subject` is that of the forward without its prefixes, `date` as
    written. `comment` is what the forwarding person wrote, without a signature; `text` is that of the forwarded mail.
    `message_id` and `automatic` (no person wrote it) are known of an attached mail only.
    """

    sender: Address | None
    subject: str = ""
    date: str = ""
    comment: str = ""
    text: str = ""
    message_id: str | None = None
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """One mail, read. Absent values are None or empty, never invented.

    `from_` is None when absent or ambiguous (two From, a doubled address): a defect says which. `original_from` is the
    author that a list states. `rewritten_from` is From as it stands when it is a list's, a form's or the desk's own
    address; then `from_` is the sender that the mail names instead, and nothing proves that it is genuine.
    `message_id`, `in_reply_to` and `references` are in angle brackets, whatever the mail wrote around them.
    `text` is the best plain text with LF line ends, `new_text` what the sender wrote now. `passages` are those of a
    reply in order, empty unless one is unannounced; `new_text` has the others. `automatic` is true when no person wrote
    the mail, `automatic_header` names the header that says so. `forwarded` is the mail that a forward passes on;
    `lists` are the addresses of the lists that passed this mail on. `defects` are stable words.
    """

    sha256: str
    size: int
    message_id: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    date: str | None = None
    from_: Address | None = None
    sender: Address | None = None
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str = ""
    text: str = ""
    html: str | None = None
    new_text: str = ""
    attachments: tuple[Attachment, ...] = ()
    kind: Kind = "message"
    bounce: Bounce | None = None
    automatic: bool = False
    automatic_header: str | None = None
    forwarded_from: Address | None = None
    routing: Routing = Routing()
    defects: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()
    original_from: Address | None = None
    rewritten_from: Address | None = None
    forwarded: Forwarded | None = None
    lists: tuple[str, ...] = ()

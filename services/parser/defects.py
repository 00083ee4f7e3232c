"""The stable words for what is wrong with a mail.

Every word that can stand in `ParsedMail.defects` is declared here with its meaning; docs/parsing.md lists the same
words and a test compares the two. Code adds a word through `Defects`, which keeps the order of discovery.
"""

from __future__ import annotations

from collections.abc import Iterable

MEANINGS: dict[str, str] = {
    "address-too-long": "an address is longer than 320 characters and was left out",
    "address-without-domain": "an address has no domain; it is kept as written",
    "addresses-capped": "an address field names more mailboxes than are kept",
    "ambiguous-address": "one entry of an address field can be read as two mailboxes and was left out",
    "ambiguous-from": "From names several mailboxes in doubtful form, or can be read twice: no sender",
    "attachments-capped": "more attachments than are listed; the rest is in the raw mail",
    "bad-address": "an entry of an address field is not an address and was left out",
    "bad-content-type": "Content-Type is not of the form type/subtype",
    "bad-date": "Date names no moment",
    "bad-domain": "a domain with characters that IDNA refuses; kept as written",
    "bad-from": "From holds no address that can be read",
    "bad-message-id": "Message-ID is not in angle brackets",
    "bare-cr": "lines end in CR alone",
    "binary-as-text": "bytes that are not text in a part of text, or of no valid type; they are an attachment",
    "blank-lines-before-headers": "empty lines stand before the first header",
    "bounce-recipients-capped": "a delivery report names more recipients than are kept",
    "boundary-not-found": "the boundary that a multipart announces does not occur in it",
    "broken-base64": "base64 with foreign characters, wrong padding or an incomplete end",
    "broken-data-uri": "a `data:` URI in HTML that cannot be read; its content is in the raw mail only",
    "broken-encoded-word": "an encoded word with spaces, wrong base64 or no end",
    "broken-parameter": "pieces of a continued parameter are missing or badly numbered",
    "broken-quoted-printable": "quoted-printable with invalid escapes, which are kept as they stand",
    "broken-uuencode": "uuencode without begin or end line, or with broken lines",
    "broken-winmail": "winmail.dat ends early, or is not one; what could be read is there",
    "broken-yenc": "yEnc without begin or end line",
    "charset-guesses-capped": "more texts of unknown charset than are guessed; the rest was read as UTF-8",
    "complex-html": "HTML with too many elements, or a number that cannot be predicted; only its text is kept",
    "control-characters": "control characters in the text, which were taken out",
    "deep-comments": "comments nested more than ten deep in an address field",
    "deep-html": "HTML nested so deep that only its text is kept",
    "deep-nesting": "parts nested very deep, though within the limit",
    "duplicate-parameter": "a parameter is given twice; the first counts",
    "empty": "the mail has no bytes at all",
    "encoded-address": "a whole address field is one encoded word, address included",
    "encoded-multipart": "a multipart or an attached mail claims a transfer encoding",
    "encoded-word-in-address": "an encoded word inside an address; it is not decoded",
    "encrypted": "the content is S/MIME or PGP encrypted and kept as attachment",
    "external-body": "a part lies elsewhere; it is never fetched",
    "filename-truncated": "a file name was longer than 255 bytes",
    "from-rewritten": "From is a list's, a form's or an inbox's address; the sender is who the mail names instead",
    "garbage-in-headers": "lines that are not headers stand between headers",
    "header-truncated": "a header value was longer than is decoded",
    "headers-capped": "more fields of one name than are read",
    "glued-headers": "a header stood behind another one on its line; both are read",
    "hostile-filename": "a file name held folders, a drive, control or invisible characters or a device name",
    "inline-uuencode": "files stood uuencoded in the text; they are attachments now",
    "inline-yenc": "files stood in yEnc in the text; they are attachments now",
    "invisible-in-address": "an address holds characters that nobody sees",
    "lone-surrogate": "half a character pair (UTF-16); replaced by U+FFFD",
    "malformed-address": "an address could be read in one way only, though it is badly written",
    "mbox-from-line": "a line `From ` of an mbox file stands among the headers",
    "missing-header-separator": "no empty line between headers and body",
    "no-boundary": "a multipart announces no boundary",
    "no-charset": "a text with 8-bit characters names no charset",
    "no-close-delimiter": "a multipart is not closed",
    "no-from": "there is no From",
    "no-headers": "there are no headers at all",
    "not-base64": "text labelled base64 that is not valid base64; kept as it stands",
    "nul-bytes": "NUL characters, which were taken out",
    "parameters-capped": "more parameters of a header than are read",
    "partial-message": "a fragment of a mail (message/partial)",
    "raw-8bit-header": "8-bit characters in headers without encoding",
    "references-capped": "more message ids than are kept",
    "sender-differs": "Sender names another mailbox than From",
    "several-authors": "From lists several names of one domain: the one that Sender has, else the first",
    "several-content-types": "more than one Content-Type; the one whose boundary occurs, else the first, counts",
    "several-from": "more than one From: only if one alone has an address is it the sender",
    "several-message-ids": "more than one Message-ID; the first counts",
    "several-references": "more than one References or In-Reply-To; the first counts",
    "several-subjects": "more than one Subject; the first counts",
    "signed": "the mail carries an S/MIME or PGP signature, which is not checked",
    "text-cut": "text or HTML was longer than is shown; the whole is an attachment where possible",
    "unclosed-quote": "a quotation mark in an address field is never closed",
    "unknown-charset": "an invented or impossible charset; the text was read by guess",
    "unknown-transfer-encoding": "an unknown Content-Transfer-Encoding; the content is kept as it stands",
    "utf-7": "text in UTF-7, which hides markup from filters",
    "winmail": "a winmail.dat was opened",
    "wrong-charset": "the text cannot be in the charset that it claims; it was read by guess",
}


MAX_GUESSES = 2_000
"""Texts of one mail whose charset is guessed from their bytes."""


class Defects:
    """An ordered set of defect words, filled while one mail is read."""

    __slots__ = ("_guesses", "_words")

    def __init__(self) -> None:
        self._words: dict[str, None] = {}
        self._guesses = 0

    def may_guess(self) -> bool:
        """Whether one more charset may be guessed from the bytes of this mail, which takes some 50 microseconds."""
        self._guesses += 1
        return self._guesses <= MAX_GUESSES

    def add(self, word: str) -> None:
        """Note a defect; a second time changes nothing."""
        self._words[word] = None

    def take(self, words: Iterable[str]) -> None:
        """Note several."""
        for word in words:
            self._words[word] = None

    def __contains__(self, word: str) -> bool:
        return word in self._words

    def words(self) -> tuple[str, ...]:
        """The words in the order in which they were found."""
        return tuple(self._words)

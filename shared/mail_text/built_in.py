"""The built-in words of everything that the desk sends by itself, one template each.

An administrator replaces one by a mail template of the same name. The texts that the three products document are here
word for word. `docs/mail-templates.md` lists the table, by test.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.lazy_dataclass import dataclass
from shared.mail_text.render import TemplateWords
from shared.mail_text.variables import DESK, MAIL, RECORD


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """One kind of mail: when it is sent, its words, and the variables that are known then.

    `to_strangers`: the subject in answers to senders who are not known, and their text when it is another one.
    """

    name: str
    when: str
    subject: str
    text: str
    variables: tuple[str, ...]
    to_strangers: TemplateWords | None = None

    @property
    def words(self) -> TemplateWords:
        """The words for a recipient who is known."""
        return TemplateWords(self.subject, self.text)

    @property
    def neutral_words(self) -> TemplateWords:
        """The words for a stranger."""
        own = self.to_strangers or self.words
        return TemplateWords(own.subject, own.text or self.text)


_ABOUT_RECORD: Final = (*DESK, *RECORD, *MAIL)
NOT_DONE: Final = "Your command was not carried out"
INSUFFICIENT: Final = "Reason: Insufficient Permission"
_NOT_SET: Final = "Kept as text, because you may not set it by mail: {not_set}\n"
"""A line that is left out when everything was set."""
_REPLY: Final = "{reply_subject}"


def _sentence(text: str) -> TemplateWords:
    """A sentence of ours as the subject for strangers; their text is the one for all."""
    return TemplateWords(text, None)


def _command(
    name: str,
    when: str,
    sentence: str,
    reason: str = "",
    *,
    text: str = "",
    to_strangers: str | None = None,
    more: tuple[str, ...] = (),
) -> BuiltIn:
    """An answer to a command: a sentence as its subject, and the same sentence, with a reason, as its text."""
    text = text or f"{sentence}. {reason}".rstrip() + "\n"
    return BuiltIn(name, when, sentence, text, (*_ABOUT_RECORD, *more), TemplateWords(sentence, to_strangers))


_TABLE: Final = (
    BuiltIn(
        "created",
        "a mail made a record, and its inbox wants that said (`reply_on_create`)",
        _REPLY,
        "{type} {number} has been created.\n\nSubject: {subject}\nStatus: {status}\n",
        _ABOUT_RECORD,
        _sentence("{type} {number} has been created"),
    ),
    BuiltIn(
        "updated",
        "a mail updated a record: of a call by `reply_on_update`, of others always (VF-20)",
        _REPLY,
        "{type} {number} has been updated.\n\nSubject: {subject}\nStatus: {status}\n" + _NOT_SET,
        (*_ABOUT_RECORD, "not_set"),
        _sentence("{type} {number} has been updated"),
    ),
    BuiltIn(
        "already-closed",
        "a mail is about a closed record, which takes no updates (VF-13)",
        _REPLY,
        "{type} No {number} is already closed and has not been updated.\n",
        _ABOUT_RECORD,
        _sentence("{type} No {number} is already closed and has not been updated."),
    ),
    BuiltIn(
        "already-deleted",
        "a mail is about a deleted record, which takes no updates (TI-32)",
        _REPLY,
        "{type} No {number} has been deleted and has not been updated.\n",
        _ABOUT_RECORD,
        _sentence("{type} No {number} has been deleted and has not been updated."),
    ),
    BuiltIn(
        "closed-updated",
        "a mail updated a closed record, which stays closed (`update_closed`, VF-13)",
        _REPLY,
        "{type} No {number} has been updated by Postroom.\n",
        _ABOUT_RECORD,
        _sentence("{type} No {number} has been updated by Postroom."),
    ),
    BuiltIn(
        "not-found",
        "a mail names a record that does not exist (`email_when_no_target`, IV-36)",
        _REPLY,
        "What your mail is about could not be found:\n\n{missing}\n",
        (*DESK, *MAIL, "missing"),
        TemplateWords("Record not found", "A record that your mail names does not exist.\n"),
    ),
    BuiltIn(
        "to-customer",
        "an analyst wrote about a record, for its customer (`notify_customer_on_update`)",
        "Re: {keyword} {subject}",
        "{sender} wrote about {type} {number}:\n\n{text}\n",
        _ABOUT_RECORD,
    ),
    BuiltIn(
        "to-handler",
        "a mail updated a record, for the analyst who has it, else for its team (`notify_handler_on_update`, VF-20)",
        "{keyword} {subject}",
        "{type} {number} has been updated by email.\n\n{text}\n",
        _ABOUT_RECORD,
    ),
    BuiltIn(
        "approval",
        "an approval waits for the decision of its owner (VF-18)",
        "{keyword} Please decide: {subject}",
        "Please decide about {type} {number}: {subject}\n\nIt belongs to: {parent}\n\n{description}\n\n"
        "To approve, send a mail with the subject {approve}:\n{approve_link}\n\n"
        "To reject, send a mail with the subject {reject}:\n{reject_link}\n\n"
        "What you write in that mail is kept with it.\n",
        (*DESK, *RECORD, "parent", "approve", "reject", "approve_link", "reject_link"),
    ),
    BuiltIn(
        "summary",
        "an analyst asked for a summary by `[MyCalls]` and its like (VF-19)",
        "Your {what}",
        "{lists}\n",
        (*DESK, *MAIL, "what", "lists"),
    ),
)
_TABLE_OF_COMMANDS: Final = (
    _command("closed", "`[CLOSE#n]` closed a call (VF-17)", "{type} {number} has been closed"),
    _command(
        "not-closed",
        "`[CLOSE#n]` of a sender who may not close the call",
        "{type} {number} has not been closed",
        INSUFFICIENT,
    ),
    _command("approved", "`[APPROVE#n]` decided an approval (VF-18)", "Task {number} has been successfully approved"),
    _command("rejected", "`[REJECT#n]` decided an approval (VF-18)", "Task {number} has been successfully rejected"),
    _command("not-approved", "`[APPROVE#n]` of another person", "Task {number} has not been approved", INSUFFICIENT),
    _command("not-rejected", "`[REJECT#n]` of another person", "Task {number} has not been rejected", INSUFFICIENT),
    _command(
        "decided-already",
        "a command decides an approval that is decided",
        "Task {number} has been decided already",
        text="Task {number} has been decided already and stays as it is: {status}.\n",
    ),
    _command(
        "decided-later",
        "a command decides an approval before those that come first",
        "Task {number} has not been {verdict}",
        "Reason: it is decided after {others}.",
        more=("verdict", "others"),
    ),
    _command(
        "command-created",
        "`[Create …]` made a record (TI-32)",
        "{type} {number} has been created",
        text=f"{{type}} {{number}} has been created.\n{_NOT_SET}",
        more=("not_set",),
    ),
    _command(
        "command-updated",
        "`[Update …]` set fields of a record",
        "{type} {number} has been updated",
        text=f"{{type}} {{number}} has been updated.\n{_NOT_SET}",
        more=("not_set",),
    ),
    _command("command-deleted", "`[Delete …]` deleted a record", "{type} {number} has been deleted"),
    _command(
        "not-updated", "`[Update …]` of a sender who may not", "{type} {number} has not been updated", INSUFFICIENT
    ),
    _command(
        "not-updated-because",
        "`[Update …]` with a value that its field cannot hold",
        "{type} {number} has not been updated",
        text="{type} {number} has not been updated: {reason}.\n",
        to_strangers="{type} {number} has not been updated.\n",
        more=("reason",),
    ),
    _command(
        "not-deleted", "`[Delete …]` of a sender who may not", "{type} {number} has not been deleted", INSUFFICIENT
    ),
    _command(
        "approval-not-deleted",
        "`[Delete …]` of an approval",
        "{type} {number} has not been deleted",
        "Reason: an approval is decided, and not deleted by mail.",
    ),
    BuiltIn(
        "command-refused",
        "a command was not carried out, and its sender is known",
        NOT_DONE,
        "{command} was not carried out: {reason}. No record was changed.\n",
        (*DESK, *MAIL, "command", "reason"),
        TemplateWords(NOT_DONE, f"{NOT_DONE}. No record was changed.\n"),
    ),
    BuiltIn(
        "not-identified",
        "a command decides an approval, and no person has the sender's address (VF-18)",
        NOT_DONE,
        f"{NOT_DONE}: the sender has not been identified.\n",
        (*DESK, *MAIL),
    ),
)
BUILT_IN: Final[Mapping[str, BuiltIn]] = MappingProxyType({each.name: each for each in (*_TABLE, *_TABLE_OF_COMMANDS)})
"""Name of a kind of mail → its built-in words."""

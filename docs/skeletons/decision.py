"""A skeleton of a kind of decision: a reply that says only "thanks" closes its record. Pure.

In Postroom: a module in `services/record_writer/decide/`, a name in `Kind` of `model.py`, and a line in `PLANNERS` of
`plan.py`. `recognition/target.py` answers with this kind when the mail is about a record and has nothing more to say.
"""

from __future__ import annotations

from services.record_writer.decide.facts import Facts, as_attached, author_on
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import MissingRecord, Part
from shared.contracts.change import Change, FieldValue

THANKS = frozenset({"thanks", "thank you", "danke", "merci"})


def is_thanks(facts: Facts) -> bool:
    """Whether the new text of the mail is a word of thanks and nothing else."""
    return facts.mail.new_text.strip(" \r\n\t.!").casefold() in THANKS


def plan_close(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """The Change that closes the record of this part. Raises `MissingRecord` when it does not exist.

    A planner reads `facts` and `lookups` and returns a value: it writes nothing and asks no clock, so that the stage
    commits what it returns and `postroom try` prints it.
    """
    record = part.record
    if record is None:
        raise MissingRecord(part.target.why)
    return Change(
        action="update",
        type=record.type,
        record_id=record.id,
        number=record.number,
        serial=record.serial,
        event="closed",
        set=(FieldValue("status", "Closed"),),
        activities=as_attached(facts, facts.mail.new_text, author_on(facts, lookups, record.owner)),
        why=("the sender says thanks, and nothing else",),
        part=str(part.number),
    )

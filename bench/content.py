"""Is everything there? A benchmark that loses mail, or puts a reply elsewhere, has measured nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.lazy_dataclass import dataclass
from shared.store.documents import Document, Documents
from shared.store.mails import OUTCOMES, message_key


@dataclass(frozen=True, slots=True)
class Content:
    """How many of the load's mails are recorded, hold their needle, and joined their parent's record."""

    mails: int
    recorded: int
    needles: int
    replies: int
    threaded: int
    other: Mapping[str, int]

    @property
    def problems(self) -> list[str]:
        """What is missing, in words; none when all is there."""
        found = {
            "mails not recorded": self.mails - self.recorded,
            "needles not found": self.mails - self.needles,
            "replies not on their parent's record": self.replies - self.threaded,
            **{f"mails {name}": count for name, count in self.other.items()},
        }
        return [f"{count} {what}" for what, count in found.items() if count]


def check(store: Documents, rows: list[dict[str, Any]]) -> Content:
    """Look up every mail of the load in the store."""
    keys = {row["message_id"]: message_key(row["message_id"]) for row in rows}
    found = {key: _mail(store, key) for key in keys.values() if key}
    mails = {message_id: found.get(key or "") for message_id, key in keys.items()}
    replies = [row for row in rows if row["parent"]]
    return Content(
        mails=len(rows),
        recorded=sum((mail or {}).get("outcome") == "recorded" for mail in mails.values()),
        needles=sum(row["needle"] in _text(store, mails[row["message_id"]]) for row in rows),
        replies=len(replies),
        threaded=sum(_together(mails[row["message_id"]], mails.get(row["parent"])) for row in replies),
        other={name: store.count("mails", {"outcome": name}) for name in OUTCOMES if name != "recorded"},
    )


def _mail(store: Documents, key: str) -> Document | None:
    return next(iter(store.find("mails", {"message_key": key}, limit=1)), None)


def _text(store: Documents, mail: Document | None) -> str:
    """What the record shows of this mail: the activity it made."""
    if mail is None:
        return ""
    records = [record["id"] for record in mail["records"]]
    activities = [each for id_ in records for each in store.find("activities", {"record_id": id_})]
    return "\n".join(_lines(activities, mail["_id"]))


def _lines(activities: Iterable[Document], mail_id: str) -> list[str]:
    return [str(each["text"]) for each in activities if each.get("mail_id") == mail_id]


def _together(mail: Document | None, parent: Document | None) -> bool:
    records = [{record["id"] for record in each["records"]} for each in (mail, parent) if each is not None]
    return len(records) == 2 and bool(records[0] & records[1])

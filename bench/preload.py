"""Fill a data folder with records, through the whole pipeline: `python -m bench.preload DIR N SEED`."""

from __future__ import annotations

import sys
import threading
from itertools import islice
from pathlib import Path

from bench import corpus
from services import runner
from services.queues import QUEUES
from shared.app import App, Location
from shared.intake import RawMail

BATCH = 1000


def main(folder: Path, count: int, seed: int) -> None:
    """Hand the mails in and work them off, a thousand at a time."""
    app = App.open(Location(folder), QUEUES)
    try:
        mails = corpus.existing(seed, count)
        while raws := list(islice(mails, BATCH)):
            app.door.hand_over([RawMail(raw) for raw in raws])
            runner.run_all(app, threading.Event(), once=True, sources=False)
        found = app.documents.count("records", {})
        if found != count:
            raise SystemExit(f"{found} records instead of {count}")
    finally:
        app.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

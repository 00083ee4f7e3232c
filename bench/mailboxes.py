"""Measure the fetcher on real and broken mail servers: `python -m bench.mailboxes --help`.

`large`: a Dovecot mailbox with many mails is taken in by a fetcher that is killed again and again. `schedule`: many
inboxes, some on broken servers, and how late the others are visited. Exit code 1 when a mail is missing or doubled, or
a visit came later than twice its interval.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from bench.processes import POSTROOM, ROOT, environment, watched_memory
from services.fetcher.imap import ImapMailbox
from services.fetcher.mailbox import InboxAccess, Mailbox
from services.fetcher.source import FetcherSource, Wiring
from services.queues import QUEUES
from shared.app import App, Location
from shared.config.model import Inbox, Settings
from shared.embedded.documents import EmbeddedDocuments
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.services.fetcher.broken_servers import WAYS, broken_inboxes, good_inboxes

_DESK = """
settings: {{poll_interval: 1s, max_per_poll: 1000}}
inboxes:
- {{name: large, address: bob@example.com, protocol: {protocol}, host: localhost, port: {port}, tls: none,
    auth: regular, username: bob, password: "${{BOB_PASSWORD}}", after: {after}}}
"""


def large(mails: int, kills: int, seed: int, protocol: str = "imap") -> dict[str, object]:
    """Take in a large mailbox, killed so often on the way: time, memory, and what arrived."""
    chance = random.Random(seed)
    with Dovecot() as server, tempfile.TemporaryDirectory() as folder:
        _fill(server, mails)
        data, desk = Path(folder, "data"), Path(folder, "desk.yaml")
        port, after = (server.port, "archive") if protocol == "imap" else (server.pop3_port, "delete")
        desk.write_text(_DESK.format(protocol=protocol, port=port, after=after))
        env = environment(POSTROOM_DATA=str(data), BOB_PASSWORD=PASSWORD)
        subprocess.run([*POSTROOM, "config", "apply", str(desk), "--no-test"], cwd=ROOT, env=env, check=True)
        app = App.open(Location(data), QUEUES)
        began, peak = time.monotonic(), 0.0
        for number in range(kills + 1):
            aim = mails if number == kills else app.arrivals.count() + chance.randrange(1, max(2, mails // (kills + 1)))
            peak = max(peak, _run_until(app, aim, env, server if number == kills else None))
            print(f"{app.arrivals.count()} mails after {time.monotonic() - began:.0f} s", file=sys.stderr)
        seconds = time.monotonic() - began
        ids = {each["mail_id"] for each in app.documents.find("arrivals", {})}
        found = {
            "protocol": protocol,
            "mails": mails,
            "kills": kills,
            "seconds": round(seconds, 1),
            "mails_per_second": round(mails / seconds, 1),
            "peak_mb": round(peak),
            "distinct": len(ids),
            "handed in twice": app.arrivals.count() - len(ids),
            "left": _left(server),
        }
        app.close()
        return found | {"ok": len(ids) == mails and found["left"] == 0}


def _left(server: Dovecot) -> int:
    """Mails in the INBOX, counted on the disk."""
    return sum(1 for part in ("new", "cur") for _ in (server.home / "mail" / "bob" / part).iterdir())


def _fill(server: Dovecot, mails: int) -> None:
    new = server.home / "mail" / "bob" / "new"
    for part in ("new", "cur", "tmp"):
        (new.parent / part).mkdir(parents=True, exist_ok=True)
    for number in range(mails):
        text = f"From: p{number}@example.com\nSubject: Mail {number}\nMessage-ID: <{number}@x>\n\n{'x' * 2000}\n"
        (new / f"{1_500_000_000 + number}.{number}.host").write_text(text)
    for path in (new.parent, *new.parent.iterdir()):
        path.chmod(0o777)
    for path in new.iterdir():
        path.chmod(0o666)


def _run_until(app: App, arrivals: int, env: dict[str, str], emptied: Dovecot | None) -> float:
    """Run a fetcher until so many mails have arrived, then kill it; the last one is ended when the INBOX is empty.

    Returns the megabytes that it used at most.
    """
    command = [*POSTROOM, "worker", "fetcher"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with watched_memory(process.pid) as memory:
        while process.poll() is None and (app.arrivals.count() < arrivals or (emptied and _left(emptied))):
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGTERM if emptied else signal.SIGKILL)
        process.wait()
    return memory.peak_mb


def schedule(inboxes: int, interval: float, visits: int) -> dict[str, object]:
    """Visit that many inboxes, six of them broken; how late the others were visited, at most."""
    began: dict[str, list[float]] = defaultdict(list)
    enough = threading.Event()
    os.environ["BOB_PASSWORD"] = "secret"

    def mailbox(access: InboxAccess) -> Mailbox:
        began[access.inbox.name].append(time.monotonic())
        if all(len(began[each.name]) >= visits for each in good):
            enough.set()
        return ImapMailbox(access)

    with broken_inboxes() as broken, good_inboxes(inboxes - len(WAYS)) as good, tempfile.TemporaryDirectory() as folder:
        everyone: list[Inbox] = [*broken, *good]
        settings = Settings(poll_interval=timedelta(seconds=interval))
        documents = EmbeddedDocuments(Path(folder))
        wiring = Wiring(lambda _: None, lambda: everyone, lambda: settings, mailbox_class=lambda _: mailbox)
        stop = threading.Event()
        running = threading.Thread(target=FetcherSource(documents, wiring).run, args=(stop,))
        running.start()
        enough.wait(interval * visits * 4)
        stop.set()
        running.join()
        documents.close()
        gaps = [later - earlier for each in good for earlier, later in pairwise(began[each.name])]
        fewest = min(len(began[each.name]) for each in good)
    latest = round(max(gaps, default=0.0), 1)
    return {
        "inboxes": inboxes,
        "interval": interval,
        "visits of each": fewest,
        "longest gap": latest,
        "visits of broken ones": {each.name: len(began[each.name]) for each in broken},
        "ok": fewest >= visits and latest <= 2 * interval,
    }


def main() -> int:
    """What the command line asks for, as one JSON object."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.mailboxes", description="The fetcher on many mails or inboxes."
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    of_large = kinds.add_parser("large", help="a large mailbox, the fetcher killed on the way")
    of_large.add_argument("--mails", type=int, default=20_000)
    of_large.add_argument("--kills", type=int, default=10)
    of_large.add_argument("--seed", type=int, default=20261127)
    of_large.add_argument("--protocol", choices=("imap", "pop3"), default="imap")
    of_schedule = kinds.add_parser("schedule", help="many inboxes, six of them broken")
    of_schedule.add_argument("--inboxes", type=int, default=50)
    of_schedule.add_argument("--interval", type=float, default=20.0, help="seconds (%(default)s)")
    of_schedule.add_argument("--visits", type=int, default=6, help="of each inbox (%(default)s)")
    given = vars(parser.parse_args())
    found = {"large": large, "schedule": schedule}[given.pop("kind")](**given)
    print(json.dumps(found))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())

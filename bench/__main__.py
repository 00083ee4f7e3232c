"""Measure Postroom, and compare it with others: `python -m bench --help`."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import corpus, embedded, rabbit, report
from bench.processes import Failed


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Mails a second, CPU a mail, peak memory.")
    parser.add_argument("--corpus", type=Path, help="a folder of mails with a manifest.json; made if omitted")
    parser.add_argument("--mails", type=int, default=1000, help="how many to make (%(default)s)")
    parser.add_argument("--seed", type=int, default=20261120, help="of the mails that are made (%(default)s)")
    parser.add_argument(
        "--existing", type=int, action="append", metavar="N", help="records that are there before; may be repeated (0)"
    )
    parser.add_argument("--runs", type=int, default=5, help="number of runs, whose medians count (%(default)s)")
    parser.add_argument("--rabbitmq", action="store_true", help="RabbitMQ and a process for each stage instead")
    parser.add_argument(
        "--mongodb",
        nargs="?",
        const="",
        metavar="URL",
        help="with --rabbitmq: MongoDB as the store, at this URL or a private server; without existing records",
    )
    parser.add_argument(
        "--store-delay",
        type=float,
        default=0,
        metavar="MS",
        help="with --mongodb: each of its answers comes so much later, as over a network (%(default)s)",
    )
    parser.add_argument(
        "--vs",
        action="append",
        default=[],
        metavar="COMMAND",
        help="compare with a program, run in turn; {corpus}, {existing} and {store} (MongoDB's URL) are filled in; its "
        "last line is JSON with mails_per_s, cpu_ms_per_mail, peak_rss_mb, failures, name",
    )
    parser.add_argument("--work", type=Path, default=Path("bench/work"), help="for data and snapshots (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one object a line")
    return parser.parse_args()


def measured(given: argparse.Namespace) -> Iterator[report.Row]:
    """Every contestant in turn, run after run: what disturbs the machine disturbs all of them."""
    work = given.work.absolute()
    load = given.corpus or corpus.written(work / f"corpus-{given.seed}-{given.mails}", given.seed, given.mails)
    sizes = given.existing or [0]
    bases = {size: embedded.snapshot(work, size) for size in sizes}
    with ExitStack() as stack:
        server = stack.enter_context(rabbit.node(work / "rabbitmq")) if given.rabbitmq else None
        on_mongodb = server is not None and given.mongodb is not None
        store_url = None
        if on_mongodb:
            store_url = stack.enter_context(rabbit.mongodb(given.mongodb, work / "mongodb", given.store_delay / 1000))
        for number in range(given.runs):
            for size in sizes:
                if server is None:
                    yield report.of_embedded(embedded.measure(load, work, bases[size]), size)
                else:
                    yield report.of_rabbit(
                        rabbit.measure(load, work, server, number * len(sizes) + size, bases[size], store_url), size
                    )
                yield from (peer(command, load, size, store_url) for command in given.vs)


def peer(command: str, load: Path, existing: int, store_url: str | None) -> report.Row:
    """One run of another program."""
    words = shlex.split(command)
    for place, value in (("{corpus}", load), ("{existing}", existing), ("{store}", store_url)):
        words = [word.replace(place, str(value)) for word in words]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not answers:
        raise Failed(f"{command}: exit code {done.returncode}: {done.stderr[-1000:]}")
    return report.of_peer(json.loads(answers[-1]), command, existing)


def told(rows: Iterator[report.Row]) -> Sequence[report.Row]:
    """All rows, each told as it comes."""
    found = []
    for row in rows:
        found.append(row)
        sys.stderr.write(f"{row.name} {row.existing}: {row.rate:.1f} mails/s, {row.cpu_ms:.2f} ms\n")
    return found


def main() -> int:
    """1 when something of the load is missing, 2 when a measurement failed."""
    given = arguments()
    try:
        found = report.summary(told(measured(given)))
    except Failed as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write((report.lines(found) if given.json else report.table(found)) + "\n")
    return 1 if any(row["problems"] for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())

"""`postroom worker STAGE`: one stage, in as many threads as asked for; add processes and containers to scale it."""

from __future__ import annotations

import threading

import click

from services.cli import logs
from services.cli.base import Command, opened
from services.cli.up import stopping


@click.command(cls=Command)
@click.argument("stage")
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=1, show_default=True, help="Consumers in this process."
)
def worker(stage: str, concurrency: int) -> None:
    """Run one stage: parser, filter, sender-matcher, record-writer, exporter, notifier, dead-letter; or fetcher.

    Broker and store are those of POSTROOM_BROKER_URL and POSTROOM_STORE_URL.
    """
    from services.pipeline import STAGES, fetcher, world
    from shared.runtime.worker import Worker

    name = stage.replace("_", "-")
    if name != "fetcher" and name not in STAGES:
        raise click.UsageError(f"there is no stage {stage!r}; known are fetcher, {', '.join(STAGES)}")
    logs.start()
    with stopping() as stop, opened() as app:
        if name == "fetcher":
            fetcher(app).run(stop)
            return
        shared_world = world(app)
        workers = [Worker(STAGES[name](app), shared_world) for _ in range(concurrency)]
        threads = [
            threading.Thread(target=each.run, args=(stop,), name=f"{name}-{n}") for n, each in enumerate(workers[1:])
        ]
        for thread in threads:
            thread.start()
        try:
            workers[0].run(stop)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

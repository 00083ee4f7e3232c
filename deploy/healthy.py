"""Is this container's worker connected? Run by the image's health check.

    healthy.py [VARIABLE...]

Looks at the kernel's table of this container's connections: each URL that is set (POSTROOM_BROKER_URL and
POSTROOM_STORE_URL, or the variables named) needs an established connection to its port. It opens none itself, so
that a check costs the servers nothing. Exit code 1, with a sentence, when a connection is missing. A worker
reconnects by itself: an unhealthy one tells of a server that is away, and needs no restart.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

VARIABLES = ("POSTROOM_BROKER_URL", "POSTROOM_STORE_URL")
PORTS = {"amqp": 5672, "amqps": 5671, "mongodb": 27017}
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
ESTABLISHED = "01"


def ports(url: str) -> set[int]:
    """The ports a URL may mean: MongoDB's can name several servers."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2].split(",")
    named = [host.rpartition(":")[2] for host in hosts]
    return {int(port) if port.isdigit() else PORTS.get(parts.scheme, 0) for port in named}


def connected(lines: Iterable[str]) -> set[int]:
    """Remote ports of established connections, from lines of the kernel's table."""
    rows = [line.split() for line in lines]
    return {int(row[2].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == ESTABLISHED}


def main(variables: Sequence[str]) -> int:
    """The exit code."""
    here = connected(line for table in TABLES if table.exists() for line in table.read_text("ascii").splitlines()[1:])
    for name in variables or VARIABLES:
        url = os.environ.get(name)
        if url and not ports(url) & here:
            sys.stderr.write(f"not connected to what {name} names\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

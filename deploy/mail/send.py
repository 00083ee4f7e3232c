"""Fill the sample mailbox: send every .eml beside this file to the sample mail server, once it answers.

send.py HOST PORT
"""

from __future__ import annotations

import smtplib
import sys
import time
from email import message_from_bytes
from email.utils import getaddresses
from pathlib import Path

PATIENCE = 60.0
"""Seconds until the server has to answer."""


def connected(host: str, port: int) -> smtplib.SMTP:
    """The server, as soon as it answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return smtplib.SMTP(host, port, timeout=10)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def main(host: str, port: int) -> None:
    """Send all of them."""
    mails = sorted(Path(__file__).parent.glob("*.eml"))
    with connected(host, port) as server:
        for path in mails:
            raw = path.read_bytes()
            mail = message_from_bytes(raw)
            (sender,) = getaddresses(mail.get_all("From", []))
            recipients = getaddresses([*mail.get_all("To", []), *mail.get_all("Cc", [])])
            server.sendmail(sender[1], [address for _, address in recipients], raw)
    sys.stdout.write(f"sent {len(mails)} sample mails\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

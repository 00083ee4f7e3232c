"""What the mailboxes of Microsoft Graph and of the Gmail API share: opening the folder, closing, errors of one mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from services.fetcher.archive_folder import ArchiveFolder
from services.fetcher.mailbox import InboxAccess, InboxFolderMissing, Key, NotInFolder, TooLarge, Unfetchable, folder_of
from shared.mail_network.web import (
    AccessDenied,
    AnswerLost,
    AnswerTooLarge,
    NotFound,
    RequestRefused,
    ServerFailed,
    WebClient,
)


class WebMailbox:
    """One folder of one mailbox (see `services.fetcher.mailbox.Mailbox`), named by its id once it is entered."""

    _web: WebClient
    _folder: str
    _archive: ArchiveFolder[str]

    def __init__(self, access: InboxAccess) -> None:
        self._inbox, self._limits, self._credentials = access.inbox, access.limits, access.credentials
        self._place = folder_of(access.inbox)

    def _open_folder(
        self, find: Callable[[str], str | None], create: Callable[[str], str], listed: Callable[[], str], kind: str
    ) -> None:
        """Find the folder that is read; see `ArchiveFolder` for the arguments. Raises `InboxFolderMissing`."""
        found = find(self._inbox.folder)
        if found is None:
            raise InboxFolderMissing(f"there is no {kind} {self._inbox.folder}; {listed()}")
        self._folder = found
        self._archive = ArchiveFolder(self._inbox, found, find, create, listed, kind)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._web.close()

    def hang_up(self) -> None:
        """Close the connection, even during a request."""
        self._web.hang_up()

    @contextmanager
    def _download(self, key: Key) -> Iterator[None]:
        """Turn the errors of a download into those of `Mailbox.fetch`."""
        with self._about(key, "fetch"):
            try:
                yield
            except NotFound as error:
                raise NotInFolder("the mail is no longer in the mailbox") from error
            except AnswerTooLarge as error:
                most = self._limits.max_download
                raise TooLarge(f"the mail has more than {most} bytes, and no more are downloaded") from error
            except AnswerLost as error:
                raise Unfetchable(str(error)) from error

    @contextmanager
    def _about(self, key: Key, what: str) -> Iterator[None]:
        """Count what concerns one mail for that mail, so that it does not end the visit."""
        try:
            yield
        except (RequestRefused, ServerFailed, AccessDenied) as error:
            raise Unfetchable(f"cannot {what} mail {key.item[-16:]}: {error}") from error

"""A stub of Exchange Web Services and Autodiscover, with the documented shapes of the operations that are used.

Documented at learn.microsoft.com/exchange/client-developer (EWS operations, ResponseCode, [MS-OXDSCLI]). Item ids
change when a mail is moved, as on a real server.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from xml.sax.saxutils import escape, unescape

from tests.servers.tls import Certificate
from tests.servers.web import Reply, Request, WebStub

SUPPORT, PASSWORD = "support@example.com", "pässword"
_NAMESPACES: Final = (
    'xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)
_VERSION: Final = (
    '<t:ServerVersionInfo MajorVersion="15" MinorVersion="1" MajorBuildNumber="2507" MinorBuildNumber="6" '
    'Version="V2017_07_11"/>'
)
WELL_KNOWN: Final = {
    "root": "Root",
    "msgfolderroot": "Top",
    "inbox": "Inbox",
    "sentitems": "Sent Items",
    "deleteditems": "Deleted",
}


@dataclass(slots=True)
class Item:
    """A mail."""

    id: str
    folder: str
    raw: bytes
    order: int
    read: bool = False


@dataclass(slots=True)
class Folder:
    """A folder."""

    id: str
    name: str
    parent: str


@dataclass(slots=True)
class ExchangeFault:
    """A response code for an operation, as often as `times` says; `item`: for this mail only."""

    operation: str
    code: str
    times: int = 1
    item: str = ""


@dataclass(slots=True)
class State:
    """One mailbox."""

    folders: dict[str, Folder] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    sent: list[bytes] = field(default_factory=list)

    def in_folder(self, name: str) -> list[bytes]:
        """The mails of a folder, by its name, oldest first."""
        ids = {each.id for each in self.folders.values() if each.name == name}
        return [each.raw for each in sorted(self.items.values(), key=lambda each: each.order) if each.folder in ids]


class ExchangeStub(WebStub):
    """One server with one mailbox; it takes basic logins, and tokens that a test has made valid."""

    def __init__(self, certificate: Certificate) -> None:
        super().__init__(certificate)
        self.support = State()
        for id_, name in WELL_KNOWN.items():
            parent = "" if id_ == "root" else "root" if id_ == "msgfolderroot" else "msgfolderroot"
            self.support.folders[id_] = Folder(id_, name, parent)
        self.refusals: list[ExchangeFault] = []
        self.operations: list[str] = []
        self.discovered: str | None = f"{self.url}/EWS/Exchange.asmx"
        self.offered = 'Basic realm="x"'
        self._count = 0
        self._ntlm: dict[object, Any] = {}
        self._ntlm_done: set[object] = set()

    @property
    def ews_url(self) -> str:
        """The address of EWS."""
        return f"{self.url}/EWS/Exchange.asmx"

    def deliver(self, *raws: bytes, folder: str = "Inbox", read: bool = False) -> list[str]:
        """Put mails into a folder; return their ids."""
        where = next(each.id for each in self.support.folders.values() if each.name == folder)
        return [self._item(raw, where, read=read).id for raw in raws]

    def _item(self, raw: bytes, folder: str, *, read: bool = False) -> Item:
        self._count += 1
        cased = f"{self._count:012b}".replace("0", "a").replace("1", "A")
        item = Item(f"AAMk{cased}=", folder, raw, self._count, read)
        self.support.items[item.id] = item
        return item

    def refuse(self, operation: str, code: str, **options: object) -> None:
        """Let an operation answer with a code."""
        self.refusals.append(ExchangeFault(operation, code, **options))  # type: ignore[arg-type]

    def answer(self, request: Request) -> Reply:
        """Log in, then carry out."""
        value = request.headers.get("authorization", "")
        if value.startswith("NTLM "):
            if (challenge := self._ntlm_step(request.peer, value[5:])) is not None:
                return Reply(401, headers={"WWW-Authenticate": challenge})
        elif request.peer not in self._ntlm_done and not self._is_logged_in(value):
            return Reply(401, headers={"WWW-Authenticate": self.offered})
        if "autodiscover" in request.path.lower():
            return self._discover(request)
        body = request.body.decode()
        found = re.search(r"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)", body)
        if not found:
            return Reply(400)
        operation = found[1]
        self.operations.append(operation)
        act: Callable[[str], list[str] | str] = getattr(self, f"_{operation}")
        refusal = next((each for each in self.refusals if each.operation == operation and not each.item), None)
        if refusal:
            self._spend(refusal)
            return _reply(operation, [_Refused(refusal.code)])
        answers = act(body)
        return _reply(operation, answers if isinstance(answers, list) else [answers])

    def _ntlm_step(self, peer: object, token: str) -> str | None:
        """The next challenge, None when the login is complete; the names and passwords are in NTLM_USER_FILE."""
        import spnego

        context = self._ntlm.setdefault(peer, spnego.server(protocol="ntlm"))
        try:
            answer = context.step(base64.b64decode(token))
        except spnego.exceptions.SpnegoError:
            return self.offered
        if context.complete:
            self._ntlm_done.add(peer)
            return None
        return f"NTLM {base64.b64encode(answer or b'').decode()}"

    def _is_logged_in(self, value: str) -> bool:
        kind, _, rest = value.partition(" ")
        if kind == "Bearer":
            return rest in self.valid
        return kind == "Basic" and base64.b64decode(rest).decode("utf-8", "replace") == f"{SUPPORT}:{PASSWORD}"

    def _spend(self, refusal: ExchangeFault) -> None:
        refusal.times -= 1
        if refusal.times <= 0:
            self.refusals.remove(refusal)

    def _discover(self, request: Request) -> Reply:
        if self.discovered is None:
            return Reply(404)
        assert SUPPORT.encode() in request.body
        answer = (
            '<?xml version="1.0"?>'
            '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">'
            '<Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"><Account>'
            f"<Protocol><Type>EXPR</Type><EwsUrl>{self.discovered}</EwsUrl></Protocol></Account></Response></Autodiscover>"
        )
        return Reply(body=answer.encode())

    # operations

    def _GetFolder(self, body: str) -> list[str]:
        names = re.findall(r'FolderId [^>]*?Id="([^"]+)"', body)
        return [
            self._folders([self.support.folders[each]])
            if each in self.support.folders
            else _Refused("ErrorFolderNotFound")
            for each in names
        ]

    def _FindFolder(self, body: str) -> str:
        parent = re.findall(r'FolderId [^>]*?Id="([^"]+)"', body)[-1]
        found = [each for each in self.support.folders.values() if each.parent == parent]
        if wanted := re.search(r'<t:Constant Value="([^"]*)"', body):
            found = [each for each in found if each.name == unescape(wanted[1], {"&quot;": '"'})]
        return _page("Folders", self._folders(found, wrapped=False), len(found))

    def _folders(self, found: list[Folder], *, wrapped: bool = True) -> str:
        text = "".join(
            f'<t:Folder><t:FolderId Id="{each.id}" ChangeKey="ck"/>'
            f'<t:ParentFolderId Id="{each.parent}" ChangeKey="ck"/>'
            f"<t:FolderClass>IPF.Note</t:FolderClass><t:DisplayName>{escape(each.name)}</t:DisplayName>"
            "<t:TotalCount>0</t:TotalCount><t:ChildFolderCount>0</t:ChildFolderCount><t:UnreadCount>0</t:UnreadCount></t:Folder>"
            for each in found
        )
        return f"<m:Folders>{text}</m:Folders>" if wrapped else text

    def _CreateFolder(self, body: str) -> str:
        parent = re.findall(r'FolderId [^>]*?Id="([^"]+)"', body)[0]
        name = unescape(re.findall(r"<t:DisplayName>([^<]*)<", body)[0])
        made = Folder(f"made-{len(self.support.folders)}", name, parent)
        self.support.folders[made.id] = made
        return self._folders([made])

    def _FindItem(self, body: str) -> str:
        folder = re.findall(r'FolderId [^>]*?Id="([^"]+)"', body)[-1]
        found = sorted(self.support.items.values(), key=lambda each: each.order)
        found = [each for each in found if each.folder == folder and not ("IsRead" in body and each.read)]
        size, offset = (int(re.findall(rf'{name}="(\d+)"', body)[0]) for name in ("MaxEntriesReturned", "Offset"))
        page = found[offset : offset + size]
        text = "".join(
            f'<t:Message><t:ItemId Id="{each.id}" ChangeKey="ck"/><t:Size>{len(each.raw)}</t:Size></t:Message>'
            for each in page
        )
        return _page("Items", text, len(found), offset + len(page))

    def _each(self, body: str, act: Callable[[Item], str], operation: str) -> list[str]:
        answers: list[str] = []
        for id_ in re.findall(r'ItemId [^>]*?Id="([^"]+)"', body):
            refusal = next((each for each in self.refusals if (each.operation, each.item) == (operation, id_)), None)
            if refusal:
                self._spend(refusal)
                answers.append(_Refused(refusal.code))
            elif id_ in self.support.items:
                answers.append(act(self.support.items[id_]))
            else:
                answers.append(_Refused("ErrorItemNotFound"))
        return answers

    def _GetItem(self, body: str) -> list[str]:
        def shown(item: Item) -> str:
            content = base64.b64encode(item.raw).decode()
            mime = f'<t:MimeContent CharacterSet="UTF-8">{content}</t:MimeContent>' if "MimeContent" in body else ""
            return (
                f'<m:Items><t:Message>{mime}<t:ItemId Id="{item.id}" ChangeKey="ck"/>'
                f"<t:IsRead>{str(item.read).lower()}</t:IsRead></t:Message></m:Items>"
            )

        return self._each(body, shown, "GetItem")

    def _UpdateItem(self, body: str) -> list[str]:
        def updated(item: Item) -> str:
            item.read = True
            return (
                f'<m:Items><t:Message><t:ItemId Id="{item.id}" ChangeKey="ck2"/></t:Message></m:Items>'
                "<m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>"
            )

        return self._each(body, updated, "UpdateItem")

    def _MoveItem(self, body: str) -> list[str]:
        target = re.findall(r'FolderId [^>]*?Id="([^"]+)"', body)[0]

        def moved(item: Item) -> str:
            del self.support.items[item.id]
            new = self._item(item.raw, target, read=item.read)
            return f'<m:Items><t:Message><t:ItemId Id="{new.id}" ChangeKey="ck3"/></t:Message></m:Items>'

        return self._each(body, moved, "MoveItem")

    def _DeleteItem(self, body: str) -> list[str]:
        def deleted(item: Item) -> str:
            item.folder = "deleteditems"
            return ""

        return self._each(body, deleted, "DeleteItem")

    def _CreateItem(self, body: str) -> str:
        content = re.findall(r"<t:MimeContent[^>]*>([^<]+)<", body)[0]
        self.support.sent.append(base64.b64decode(content))
        return "<m:Items/>"


class _Refused(str):
    """A response code instead of a result."""

    __slots__ = ()


def _page(kind: str, text: str, total: int, offset: int = 0) -> str:
    last = str(offset >= total or kind == "Folders").lower()
    return (
        f'<m:RootFolder IncludesLastItemInRange="{last}" TotalItemsInView="{total}" IndexedPagingOffset="{offset}">'
        f"<t:{kind}>{text}</t:{kind}></m:RootFolder>"
    )


def _reply(operation: str, answers: list[str]) -> Reply:
    text = ""
    for each in answers:
        if isinstance(each, _Refused):
            inner = (
                f"<m:MessageText>no</m:MessageText><m:ResponseCode>{each}</m:ResponseCode>"
                "<m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>"
            )
        else:
            inner = f"<m:ResponseCode>NoError</m:ResponseCode>{each}"
        kind = "Error" if isinstance(each, _Refused) else "Success"
        text += f'<m:{operation}ResponseMessage ResponseClass="{kind}">{inner}</m:{operation}ResponseMessage>'
    envelope = (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope {_NAMESPACES}><s:Header>{_VERSION}</s:Header><s:Body>'
        f"<m:{operation}Response><m:ResponseMessages>{text}</m:ResponseMessages></m:{operation}Response></s:Body></s:Envelope>"
    )
    return Reply(body=envelope.encode(), headers={"X-Kind": "xml"})

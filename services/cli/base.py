"""Shared by all commands: lazy loading, `--data` and `--json` everywhere, exit codes, errors in one sentence.

Exit codes: 0 done, 1 a problem was found, 2 usage, 75 try again later (EX_TEMPFAIL of sysexits.h, which mail
transfer agents understand). Modules of Postroom are imported when a command needs them, so that
`postroom --help` and `postroom parse` start at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from services.operator.errors import UnknownName
from shared.contracts.errors import PostroomError, Unavailable

if TYPE_CHECKING:
    from services.operator.permissions.writes import Write
    from shared.app import App, Location
    from shared.clock import Clock

PROBLEM: Final = 1
USAGE: Final = 2
TRY_LATER: Final = 75
DATA: Final = "postroom.data"
JSON: Final = "postroom.json"
LASTING: Final = (PermissionError, NotADirectoryError, FileExistsError)
LASTING_IN_SQLITE: Final = ("SQLITE_READONLY", "SQLITE_NOTADB", "SQLITE_CORRUPT")
DEBUG: Final = "POSTROOM_DEBUG"
"""Set to 1, this variable shows the traceback of an error."""


class Problem(click.ClickException):
    """A problem that a person has to solve: one sentence, exit code 1."""

    exit_code = PROBLEM


class ReaderClosed(Exception):
    """The reader of standard output has closed the pipe."""


def _remember(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def remember(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            context.find_root().meta[key] = value

    return remember


def common_options() -> list[click.Parameter]:
    """Add the options that every command takes, at any place on the command line."""
    return [
        click.Option(
            ["--data"],
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            help="Folder of the embedded default (POSTROOM_DATA; ./postroom-data).",
            expose_value=False,
            callback=_remember(DATA),
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            help="Print JSON, one object per line.",
            expose_value=False,
            callback=_remember(JSON),
        ),
    ]


class Command(click.Command):
    """A command with the common options. Its arguments are text, but file names may be any bytes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Refuses an argument that is not valid text: stored values have to be UTF-8."""
        for each in self.params:
            if each.type is click.STRING and not _is_text(ctx.params.get(each.name or "")):
                raise click.BadParameter("not UTF-8 text", ctx, each)
        return super().invoke(ctx)


def _is_text(value: object) -> bool:
    """Whether a value, or each of several, is free of bytes that Python could not decode (PEP 383)."""
    words = value if isinstance(value, tuple) else (value,)
    return not any("\udc80" <= letter <= "\udcff" for word in words if isinstance(word, str) for letter in word)


class Group(click.Group):
    """A group whose commands take the common options; those of `lazy` are imported when they are called.

    `lazy` maps a name to where its command is (`services.cli.parse:parse`) and its line in the help.
    """

    command_class = Command

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the documentation."""
        return [*self.lazy, *(name for name in super().list_commands(ctx) if name not in self.lazy)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported when it is a lazy one."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command. For an unknown name, suggest the nearest command, lazy ones included."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            near = get_close_matches(name, self.list_commands(ctx), n=1)
            ctx.fail(f"there is no command {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, each with its whole first sentence, without importing the lazy ones."""
        del ctx
        lines = {name: line for name, (_, line) in self.lazy.items()}
        lines |= {name: each.get_short_help_str(limit=200) for name, each in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl(list(lines.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A closed pipe on standard output is not an error here, though click treats it as one."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderClosed from None

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run, and exit with a code; an error prints at most one sentence."""
        extra["standalone_mode"] = False
        words = list(sys.argv[1:] if args is None else args)
        sys.exit(run(lambda: super(Group, self).main(words, *rest, **extra), json="--json" in words))


def run(call: Callable[[], Any], *, json: bool = False) -> int:
    """The exit code of a command; its errors are printed on standard error, with `json` as one JSON object each."""
    try:
        code = call()
        sys.stdout.flush()
    except Exception as error:
        if os.environ.get(DEBUG) == "1" and not isinstance(
            error, click.exceptions.Exit | ReaderClosed | BrokenPipeError
        ):
            raise
        return _report_error(error, json=json)
    except KeyboardInterrupt:
        return 130
    return code if isinstance(code, int) else 0


def _report_error(error: Exception, *, json: bool) -> int:
    """Print one sentence for an error; return the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case ReaderClosed() | BrokenPipeError():
            return _silence_output()
        case click.ClickException() if not json:
            error.show()
            return error.exit_code
        case _:
            code, sentence = _code_and_sentence(error)
            print_error(sentence, code, json=json)
            return code


def _code_and_sentence(error: Exception) -> tuple[int, str]:
    match error:
        case click.ClickException():
            return error.exit_code, error.format_message()
        case click.Abort():
            return PROBLEM, "aborted"
        case UnknownName():
            return USAGE, str(error)
        case Unavailable():
            return TRY_LATER, f"{error}; try again later"
        case PostroomError():
            return PROBLEM, str(error)
        case OSError():
            return PROBLEM, f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        case _:
            return PROBLEM, f"unexpected error: {type(error).__name__}: {error} ({DEBUG}=1 shows the traceback)"


def print_error(sentence: str, code: int, *, json: bool) -> None:
    """Print an error on standard error: as text, or as one JSON object with `error` and the exit `code`."""
    from services.cli import output

    if json:
        output.emit({"error": sentence, "code": code}, err=True)
    else:
        click.echo(f"Error: {output.safe(sentence, breaks=True)}", err=True)


def _silence_output() -> int:
    """Discard further output after the reader closed the pipe (`| head`), so that the flush at exit does not fail."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def as_json() -> bool:
    """Whether machines read the output."""
    return bool(click.get_current_context().find_root().meta.get(JSON))


def location() -> Location:
    """Where this command finds broker, store and files: options first, then the environment."""
    from shared.app import Location

    data = click.get_current_context().find_root().meta.get(DATA)
    return Location.from_environment(os.environ, data)


@contextmanager
def opened(where: Location | None = None, clock: Clock | None = None, *, store_only: bool = False) -> Iterator[App]:
    """The app for one command, closed at its end. A data folder that cannot be used at all is a `Problem`.

    `clock` None: the machine's. `store_only`: the command works while RabbitMQ is unavailable.
    """
    from services.cli import logs
    from services.cli.output import watching
    from services.queues import QUEUES
    from shared.app import App

    logs.start_for_command()
    where = where or location()
    try:
        with watching("connecting"):
            app = App.open(where, QUEUES, clock, store_only=store_only)
    except Unavailable as error:
        if _is_permanent(error.__cause__, where.data):
            raise Problem(f"{error}; fix that, or name another folder with --data or POSTROOM_DATA") from error
        raise
    try:
        yield app
    finally:
        app.close()


def _is_permanent(cause: BaseException | None, data: Path) -> bool:
    """Whether the data folder stays unusable until a person repairs it."""
    name = getattr(cause, "sqlite_errorname", "")
    forbidden = name.startswith("SQLITE_CANTOPEN") and not os.access(data, os.W_OK)
    return forbidden or isinstance(cause, LASTING) or name.startswith(LASTING_IN_SQLITE)


def is_all(named: Sequence[str], *, everything: bool, what: str) -> bool:
    """Whether `--all` is given; a usage error when things are named as well, or none is."""
    if everything == bool(named):
        raise click.UsageError(f"name {what}, or use --all")
    return everything


def who() -> str:
    """The user who runs the command, as changes name them."""
    return os.environ.get("USER") or os.environ.get("LOGNAME") or "operator"


def note(app: App, what: Write, about: str = "", why: str = "") -> None:
    """Keep who did this, to what, when and why, as the console keeps it; every command that changes something does."""
    from services.operator.permissions import access

    access.note(app, who(), what, about, why)


def page_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--limit` and `--after` of every list."""
    after = click.option("--after", "skip", type=click.IntRange(0), default=0, metavar="N", help="Skip the first N.")
    limit = click.option(
        "--limit", type=click.IntRange(1), default=50, show_default=True, help="Show at most this many."
    )
    return limit(after(command))

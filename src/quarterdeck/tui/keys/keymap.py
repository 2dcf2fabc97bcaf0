"""Other keys for commands: what [keys] and keys.toml want, checked against the command table. Pure.

What can't be is left out and named; the rest holds. Imported only where somebody wants other keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.config.keynames import Keys, read_keys
from quarterdeck.config.problem import LONGEST_ECHO
from quarterdeck.format import printable
from quarterdeck.model.actions import ACTIONS, Action
from quarterdeck.tui.commands import COMMANDS, EVERYWHERE, ROWS, Command, commands_for

if TYPE_CHECKING:
    from quarterdeck.config.keymap import Wish

FIXED = {"quit": ("ctrl+c", "ctrl+c"), "back": ("escape", "escape")}
"""Commands that keep a key: how it is written, and what the terminal library calls it."""
NEEDED = ("help", "palette")
"""Commands that need a key: without them nobody finds the others."""
_OF_ALL = {command.id: command for command in COMMANDS}
_COUNT_ONE = 1


class Named(NamedTuple):
    """Something that has keys: a command or an action."""

    name: str
    """What [keys] calls it."""
    label: str
    where: tuple[str, ...]
    keys: Keys
    replay: bool = False
    """Whether it is there only while a recording is played."""


class _Given(NamedTuple):
    """A wish that says something."""

    wish: Wish
    views: tuple[str, ...]
    keys: Keys
    file: int = 0
    """Of several files the place of its own; the last one wins."""


class KeyTable:
    """The keys in force, by view."""

    def __init__(self, changes: Mapping[tuple[str, str], _Given], problems: Iterable[str] = ()) -> None:
        self._changes = changes
        """By view and name."""
        self.problems = tuple(problems)

    def keys(self, named: Named, view: str) -> Keys:
        """The keys of something on a view."""
        given = self._changes.get((view, named.name))
        return named.keys if given is None else given.keys

    def origin(self, named: Named, view: str) -> str:
        """Where they were said: "fleet.toml:12"; "" = nowhere, they are the program's own."""
        given = self._changes.get((view, named.name))
        return "" if given is None else given.wish.place

    def command(self, command: Command, view: str) -> Command:
        """A command with the keys that it has on a view."""
        given = self._changes.get((view, command.id))
        return command if given is None else command._replace(keys=given.keys.names, shown=given.keys.shown)

    def action(self, action: Action, view: str) -> Action:
        """An action with the keys that it has on a view."""
        given = self._changes.get((view, action_name(action)))
        return action if given is None else action._replace(keys=given.keys.names, shown=given.keys.shown)

    def action_of(self, key: str, view: str) -> Action | None:
        """The action on a key."""
        return next((action for action in ACTIONS if key in self.action(action, view).keys), None)


def action_name(action: Action) -> str:
    """What [keys] calls an action: its id, or its word of the command line where a command has that id ("cp")."""
    return action.id if action.id not in _OF_ALL else "_".join(action.typed) or f"action_{action.id}"


def everything() -> Iterator[Named]:
    """All that has keys, or could have some."""
    for command in COMMANDS:
        yield Named(command.id, command.label, command.where, Keys(command.keys, command.shown), command.replay)
    for action in ACTIONS:
        yield Named(action_name(action), action.label, ROWS, Keys(action.keys, action.shown))


def key_table(wishes: Sequence[Wish]) -> KeyTable:
    """The keys in force; of several wishes for one command on one view the last one counts."""
    known = {named.name: named for named in everything()}
    given: list[_Given] = []
    problems: list[tuple[Wish, str]] = []
    files = list(dict.fromkeys(_line(wish.place)[0] for wish in wishes))
    for wish in wishes:
        read = _read(wish, known)
        if isinstance(read, str):
            problems.append((wish, read))
        else:
            given.append(read._replace(file=files.index(_line(wish.place)[0])))
    while True:
        table = KeyTable({(view, each.wish.command): each for each in given for view in each.views})
        clash = next(_clashes(table, known), None)
        if clash is None:
            break
        wrong, message = clash
        given.remove(wrong)
        problems.append((wrong.wish, message))
    return KeyTable(table._changes, [_told(wish, message) for wish, message in problems])  # noqa: SLF001


def _read(wish: Wish, known: Mapping[str, Named]) -> _Given | str:
    """What a wish says, or what is wrong with it."""
    named = known.get(wish.command)
    if wish.view and wish.view not in EVERYWHERE:
        return f"no view is called that{_close(wish.view, EVERYWHERE)}"
    if named is None:
        return f"no command is called that{_close(wish.command, known)}"
    if wish.view and wish.view not in named.where:
        return f"{wish.command} isn't there; it is in: {', '.join(named.where)}"
    try:
        keys = read_keys(wish.keys)
    except ValueError as error:
        return printable(str(error), 200)
    wrong = _kept(wish.command, keys)
    return wrong or _Given(wish, (wish.view,) if wish.view else named.where, keys)


def _kept(name: str, keys: Keys) -> str:
    """What a wish takes away that somebody needs, if anything."""
    for owner, (written, key) in FIXED.items():
        if name == owner and key not in keys.names:
            return f'"{written}" must be among its keys: it is the one that works everywhere, also where something is typed'
        if name != owner and key in keys.names:
            return f'"{written}" is always {owner}'
    if name in NEEDED and not keys.names:
        return f"it needs a key: without {name} nobody finds the other commands"
    return ""


def _clashes(table: KeyTable, known: Mapping[str, Named]) -> Iterator[tuple[_Given, str]]:
    """Wishes that give a key which something else has on the same view."""
    for replay in (False, True):
        for view in EVERYWHERE:
            taken: dict[str, Named] = {}
            for named in there(view, known.values(), replay=replay):
                for key in table.keys(named, view).names:
                    other = taken.setdefault(key, named)
                    if other is not named and (wrong := _culprit(table, view, named, other)) is not None:
                        yield wrong, _clash(wrong, key, view, named, other)


def there(view: str, every: Iterable[Named], *, replay: bool = False) -> list[Named]:
    """What can be had on a view; ``replay``: of a recording."""
    here = {command.id for command in commands_for(view, replay=replay)}
    acting = set() if replay else {action_name(action) for action in ACTIONS}
    return [named for named in every if view in named.where and (named.name in here or named.name in acting)]


def _culprit(table: KeyTable, view: str, *pair: Named) -> _Given | None:
    """The wish to leave out: of two in one file the later one, of two files that of the first."""
    given = [table._changes.get((view, named.name)) for named in pair]  # noqa: SLF001
    wanted = [each for each in given if each is not None]
    if len(wanted) > _COUNT_ONE and wanted[0].wish.place:
        wanted.sort(key=lambda each: (-each.file, _line(each.wish.place)[1]))
    return wanted[-1] if wanted else None


def _line(place: str) -> tuple[str, int]:
    file, _, line = place.rpartition(":")
    return file, int(line) if line.isdecimal() else 0


def _clash(wrong: _Given, key: str, view: str, one: Named, two: Named) -> str:
    mine, other = (one, two) if one.name == wrong.wish.command else (two, one)
    written = next((text for text in wrong.wish.keys if key in read_keys((text,)).names), key)
    return (
        f'"{printable(written, LONGEST_ECHO)}" is {other.name} ({other.label}) already on view {view}; '
        f"{mine.name} ({mine.label}) keeps the keys it had"
    )


def _told(wish: Wish, message: str) -> str:
    label = printable(wish.label, 3 * LONGEST_ECHO)
    return ": ".join(part for part in (wish.place, label, message) if part)


def _close(name: str, known: Iterable[str]) -> str:
    import difflib

    wanted = name.lower().replace("-", "_")[:40]
    close = difflib.get_close_matches(wanted, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else "; `quarterdeck config keys` lists them"

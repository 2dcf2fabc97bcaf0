"""Writes docs/keys.md from the command table: `python docs/make_keys.py`. A test says when that is due."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from quarterdeck.config.keynames import Keys
from quarterdeck.model.actions import ACTIONS
from quarterdeck.tui.commands import COMMANDS, EVERYWHERE, ROWS, Command
from quarterdeck.tui.keys.keymap import FIXED, NEEDED, action_name

PAGE = Path(__file__).with_name("keys.md")
_SEVERAL = 6
"""Commands of more views than this stand under "On many views"."""

_HEAD = """\
# Keys

`?` in the console lists the keys of the place one is in, `:` finds every command by its words, and `quarterdeck config keys`
prints the keys in force and where each was said. This page is made from the same table (`python docs/make_keys.py`).

## Other keys

Write the command's id and its keys into `[keys]` of fleet.toml:

```toml
[keys]
maximise = "f11"
copy = ["y", "ctrl+y"]   # several
serial = []              # none: the palette still has it
pull = "ctrl+g"          # actions on models and endpoints, too

[keys.fleet]             # on one view only
sort = "o"
```

Or into a `keys.toml` beside fleet.toml, or in your config folder (`~/.config/quarterdeck` on Linux), where the header `[keys]` may be
left out and `[fleet]` stands for `[keys.fleet]`. The first of the two files that is there counts.
Where both keys.toml and fleet.toml have a command, **keys.toml wins**; in one file, what stands last does.

Keys are written as `x`, `G` (or `shift+g`), `?`, `ctrl+s`, `alt+x`, `shift+f3`, `space`, `enter`, `tab`, `pageup`, `f5`, `left`.
A terminal sends the same for ctrl+i and tab, ctrl+m and enter, ctrl+h and backspace, ctrl+[ and escape.

What can't be is left out, and said by `quarterdeck config check` and in the console's banner, with file and line: a command or a key
that there isn't, and a key that something else has on the same view. The rest holds.

- {fixed}
- {needed} need a key.
- Where something is typed, Enter, Esc and Tab do what they do in every form; letters are text. The chat's prompt follows `submit` and `write`.
- A fleet.toml or keys.toml of another user changes no keys, unless it is named with `--fleet`.

The help, the hints in the last line, the palette and the menu of actions show the keys in force.
"""


def page() -> str:
    """The whole page."""
    fixed = " and ".join(f"`{written}` stays with `{name}`" for name, (written, _) in FIXED.items())
    needed = " and ".join(f"`{name}`" for name in NEEDED)
    return "\n".join([_HEAD.format(fixed=fixed, needed=needed), *_commands(), *_actions()]) + "\n"


def _commands() -> Iterator[str]:
    live = [command for command in COMMANDS if not command.replay]
    yield from _table("On many views", [each for each in live if len(each.where) > _SEVERAL])
    few = [each for each in live if len(each.where) <= _SEVERAL]
    for view in EVERYWHERE:
        here = [each for each in few if view in each.where]
        if here:
            yield from _table(f"View `{view}`", here)
    yield from _table("While a recording is played", [command for command in COMMANDS if command.replay])


def _table(title: str, commands: list[Command]) -> Iterator[str]:
    yield from (f"## {title}", "", "| id | keys | |", "|---|---|---|")
    for command in commands:
        yield f"| `{command.id}` | {_keys(command.keys, command.shown)} | {_escaped(command.help)} |"
    yield ""


def _actions() -> Iterator[str]:
    views = ", ".join(f"`{view}`" for view in ROWS)
    yield from ("## Actions", "", f"On what is selected or marked; on the views {views}.", "")
    yield from ("| id | keys | |", "|---|---|---|")
    for action in ACTIONS:
        yield f"| `{action_name(action)}` | {_keys(action.keys, action.shown)} | {_escaped(action.help)} |"


def _keys(names: tuple[str, ...], shown: str) -> str:
    return " ".join(f"`{_escaped(key)}`" for key in Keys(names, shown).shown.split()) or "–"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

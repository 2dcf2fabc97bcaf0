"""Keys as people write them, and what the terminal library calls them. Pure."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple


class Keys(NamedTuple):
    """Keys of a command."""

    names: tuple[str, ...] = ()
    """As the terminal library names them; some keys have two names."""
    shown: str = ""
    """As people read them, with a space between two."""


_NAMED = {
    "enter": "Enter",
    "escape": "Esc",
    "tab": "Tab",
    "space": "Space",
    "backspace": "Backspace",
    "delete": "Del",
    "insert": "Ins",
    "home": "Home",
    "end": "End",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
} | {f"f{number}": f"F{number}" for number in range(1, 25)}
_ALSO = {
    "return": "enter",
    "esc": "escape",
    "del": "delete",
    "ins": "insert",
    "pgup": "pageup",
    "page_up": "pageup",
    "pgdn": "pagedown",
    "pgdown": "pagedown",
    "page_down": "pagedown",
    "bksp": "backspace",
    "spacebar": "space",
    "↑": "up",
    "↓": "down",
    "←": "left",
    "→": "right",
}
_MODIFIERS = {
    "ctrl": "ctrl",
    "control": "ctrl",
    "^": "ctrl",
    "shift": "shift",
    "⇧": "shift",
    "alt": "alt",
    "meta": "alt",
    "option": "alt",
}
_SHORT = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
"""Where the terminal library's names of signs aren't those of Unicode."""
_SAME = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+h": "backspace", "ctrl+left_square_bracket": "escape"}
"""What a terminal sends for both."""
_WITH_CTRL = {"at", "backslash", "right_square_bracket", "circumflex_accent", "underscore"}
"""The signs that a terminal can send together with Ctrl."""


def read_keys(texts: tuple[str, ...]) -> Keys:
    """Several keys. Raises ValueError with words about the first that is none."""
    read = [read_key(text) for text in texts]
    return Keys(tuple(name for key in read for name in key.names), " ".join(key.shown for key in read))


def read_key(text: str) -> Keys:
    """One key: ``x``, ``G``, ``?``, ``ctrl+s``, ``shift+f3``, ``space``. Raises ValueError with words."""
    modifiers, base = _parts(text)
    if len(base) == 1:
        return _sign(text, base, modifiers)
    if base not in _NAMED:
        raise ValueError(_unknown(text, base))
    if base == "space" and modifiers == {"ctrl"}:
        return Keys(("ctrl+at",), "^Space")
    if base == "space" and "shift" in modifiers:
        raise ValueError(f'a terminal can\'t send "{text}"')
    name = "+".join((*sorted(modifiers), base))
    names: tuple[str, ...] = (name,)
    if modifiers == {"shift"} and base[1:].isdecimal() and int(base[1:]) <= 12:
        names = (name, f"f{int(base[1:]) + 12}")  # what most terminals send for it
    return Keys(names, _prefix(modifiers) + _NAMED[base])


def sign_name(character: str) -> str:
    """What the terminal library calls the key of a character."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    return _SHORT.get(name, name)


def is_text(name: str) -> bool:
    """Whether a key, as the terminal library names it, puts a character into a line that is typed in."""
    return name == "space" or len(name) == 1 or name.startswith("upper_") or name in _SIGNS


_SIGNS = {sign_name(character): character for character in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}


def _parts(text: str) -> tuple[set[str], str]:
    """Modifiers, and the key itself: one character, or a name in small letters."""
    rest, modifiers = text.strip() or text, set()
    while len(rest) > 1:
        head, plus, tail = rest.partition("+")
        if rest[0] in "^⇧" and not plus:
            head, tail = rest[0], rest[1:]
        modifier = _MODIFIERS.get(head.strip().lower())
        if modifier is None or not tail:
            break
        modifiers.add(modifier)
        rest = tail.strip() or tail
    if rest == " ":
        return modifiers, "space"
    if len(rest) == 1 and rest not in _ALSO:
        return modifiers, rest
    name = rest.lower().replace("-", "_").replace(" ", "_")
    name = _ALSO.get(name, name)
    return modifiers, _SIGNS.get(_SHORT.get(name, name), name)


def _sign(text: str, base: str, modifiers: set[str]) -> Keys:
    """A character, with or without modifiers."""
    if len(base) != 1 or not base.isprintable():  # "İ" in small letters is two characters
        raise ValueError(_unknown(text, base))
    if base.isalpha() and ("shift" in modifiers or base.isupper()):
        return _capital(text, base, modifiers)
    if "shift" in modifiers:
        raise ValueError(f'"{text}": write the sign that it gives, such as "?" or "G"')
    name = sign_name(base)
    if "ctrl" in modifiers and not (base.isascii() and (base.isalpha() or name in _WITH_CTRL or base == "[")):
        raise ValueError(f'a terminal can\'t send "{text}"')
    full = "+".join((*sorted(modifiers), name))
    if full in _SAME:
        return Keys((_SAME[full],), _NAMED[_SAME[full]])
    return Keys((full,), _prefix(modifiers) + (base.upper() if "ctrl" in modifiers else base))


def _capital(text: str, base: str, modifiers: set[str]) -> Keys:
    others = modifiers - {"shift"}
    if "ctrl" in others and base.isupper() and "shift" not in modifiers:
        return _sign(text, base.lower(), modifiers)  # ^S is ctrl+s
    if others:
        name = "+".join((*sorted({*others, "shift"}), base.lower()))
        return Keys((name,), _prefix(others) + base.upper())
    return Keys((base.upper(), f"upper_{base.lower()}"), base.upper())


def _prefix(modifiers: set[str]) -> str:
    return "".join(sign for name, sign in (("ctrl", "^"), ("alt", "Alt+"), ("shift", "⇧")) if name in modifiers)


def _unknown(text: str, base: str) -> str:
    import difflib

    head, plus, _ = base[:40].partition("+")
    wrong, known = (head, list(_MODIFIERS)) if plus else (base[:40], [*_NAMED, *_ALSO, *_SIGNS])
    close = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    guess = text.lower().replace(wrong, close[0]) if close else ""
    return f'unknown key "{text}"; ' + (f'did you mean "{guess}"?' if guess else "such as x, G, ?, ctrl+s, space, f5")

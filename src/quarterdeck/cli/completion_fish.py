"""The completion script of fish. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from quarterdeck.cli.completion import PROGRAMS, Arms, Tables
from quarterdeck.cli.completion_bash import by_list

_FISH = r"""# fish completion of quarterdeck: written by `quarterdeck completion fish`; as ~/.config/fish/completions/quarterdeck.fish.

@TABLES@
function __quarterdeck
    set -l at ''
    set -l pending ''
    set -l fleet ''
    set -l previous ''
    set -l count 0
    set -l tokens (commandline -opc)
    set -l program $tokens[1]
    set -e tokens[1]
    for token in $tokens
        if test -n "$pending"
            test "$previous" = --fleet
            and set fleet $token
            set pending ''
        else
            switch $token
                case '--'
                    return
                case '--fleet=*'
                    set fleet (string replace -- '--fleet=' '' $token)
                case '--*=*'
                case '-*'
                    set pending (__quarterdeck_value "$at $token")
                case '*'
                    if test $count -eq 0; and __quarterdeck_commands "$at" | string match -q -- $token\t'*'
                        set at (string trim -- "$at $token")
                    else
                        set count (math $count + 1)
                    end
            end
        end
        set previous $token
    end
    set -l value (commandline -ct)
    set -l before ''
    if test -z "$pending"
        switch "$value"
            case '--*=*'
                set -l parts (string split -m 1 -- = $value)
                set pending (__quarterdeck_value "$at $parts[1]")
                set before "$parts[1]="
                set value "$parts[2]"
            case '-*'
                __quarterdeck_options "$at"
                return
            case '*'
                test $count -eq 0
                and __quarterdeck_commands "$at"
                set pending (__quarterdeck_word "$at#$count")
        end
    end
    switch "$pending"
        case '' -
            return
        case file
            for line in (__fish_complete_path "$value")
                printf '%s%s\n' $before $line
            end
        case '=*'
            for line in (string split -- ' ' (string sub -s 2 -- $pending))
                printf '%s%s\n' $before $line
            end
        case '*'
            for line in (command $program _complete $pending "$fleet" 2>/dev/null)
                printf '%s%s\n' $before $line
            end
    end
end

@COMPLETE@
"""


def script(known: Tables) -> str:
    """The script of fish."""
    tables = "\n".join(
        [
            _switch("commands", by_list(known.commands, _described)),
            _switch("options", by_list(known.options, _described)),
            _switch("value", [(patterns, _quoted(kind)) for patterns, kind in known.values if kind]),
            _switch("word", [(patterns, _quoted(kind)) for patterns, kind in known.words]),
        ]
    )
    complete = "\n".join(f"complete -c {program} -f -a '(__quarterdeck)'" for program in PROGRAMS)
    return _FISH.replace("@TABLES@", tables).replace("@COMPLETE@", complete)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _described(found: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{_quoted(name)}\\t{_quoted(about)}" for name, about in found)


def _switch(name: str, arms: Arms) -> str:
    """A function of fish that prints, a line each, what belongs to its argument."""
    lines = [f"function __quarterdeck_{name}", "    switch $argv[1]"]
    for patterns, body in arms:
        lines += [f"        case {' '.join(map(_quoted, patterns))}", f"            printf '%s\\n' {body}"]
    return "\n".join([*lines, "    end", "end", ""])

"""The completion script of bash, 3.2 and later. Pure.

Names come from files that others may have written, so no script lets its shell expand one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from quarterdeck.cli.completion import PROGRAMS, Arms, Tables

_BASH = r"""# bash completion of quarterdeck: written by `quarterdeck completion bash`, sourced by your shell.

@TABLES@
__quarterdeck_split() {
    # bash splits words at = : and @ too: what stands together without a blank is one word again. Fills words.
    local rest=${COMP_LINE:0:COMP_POINT} bare part i
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        part=${COMP_WORDS[i]}
        bare=${rest#"${rest%%[![:space:]]*}"}
        if ((i == COMP_CWORD)); then
            part=$bare  # only what stands before the cursor
        fi
        if ((i > 0)) && [[ $bare == "$rest" ]]; then
            words[${#words[@]} - 1]+=$part
        else
            words+=("$part")
        fi
        rest=${bare#"$part"}
    done
}

__quarterdeck_reply() {
    # $1: a name, $2: what was typed of the value, $3: what stands before the value in the word, $4: what readline keeps.
    local name=$1 typed=$2
    case $typed in
    [\"\']*) typed=${typed:1} ;;  # inside quotes readline wants the bare name
    *)
        printf -v name '%q' "$name"
        if [[ $name == "$typed"* ]]; then
            name=$3$name
            COMPREPLY+=("${name#"$4"}")
        fi
        return
        ;;
    esac
    if [[ $name == "$typed"* ]]; then
        COMPREPLY+=("$name")
    fi
}

_quarterdeck() {
    local IFS=$' \t\n'
    local -a words
    local at='' kind='' pending='' fleet='' commands='' options='' count=0 current value before='' kept='' line mark i
    COMPREPLY=()
    __quarterdeck_split
    current=${words[${#words[@]} - 1]}
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        line=${words[i]}
        if [[ -n $pending ]]; then
            if [[ ${words[i - 1]} == --fleet ]]; then
                fleet=$line
            fi
            pending=
        elif [[ $line == -- ]]; then
            return
        elif [[ $line == --fleet=* ]]; then
            fleet=${line#*=}
        elif [[ $line == -* ]]; then
            if [[ $line != --*=* ]]; then
                __quarterdeck_value "$at $line"
                pending=$kind
            fi
        elif ((count == 0)) && __quarterdeck_commands "$at" && [[ " $commands " == *" $line "* ]]; then
            at="$at${at:+ }$line"
        else
            count=$((count + 1))
        fi
    done
    value=$current
    if [[ -z $pending ]]; then
        case $current in
        --*=*)
            __quarterdeck_value "$at ${current%%=*}"
            pending=$kind before=${current%%=*}= value=${current#*=}
            ;;
        -*)
            __quarterdeck_options "$at"
            COMPREPLY=($(compgen -W "$options" -- "$current"))
            return
            ;;
        *)
            __quarterdeck_word "$at#$count"
            pending=$kind commands=
            if ((count == 0)); then
                __quarterdeck_commands "$at"
                COMPREPLY=($(compgen -W "$commands" -- "$current"))
            fi
            ;;
        esac
    fi
    for mark in = : @; do
        if [[ $COMP_WORDBREAKS == *"$mark"* && $current == *"$mark"* ]]; then
            line=${current%"${current##*"$mark"}"}
            if ((${#line} > ${#kept})); then
                kept=$line
            fi
        fi
    done
    case $pending in
    '' | -) ;;
    file)
        if ! compopt -o default 2>/dev/null; then  # bash 3.2
            while IFS= read -r line; do
                line=$before$line
                COMPREPLY+=("${line#"$kept"}")
            done < <(compgen -f -- "$value")
        fi
        ;;
    =*)
        for line in ${pending#=}; do
            __quarterdeck_reply "$line" "$value" "$before" "$kept"
        done
        ;;
    *)
        while IFS= read -r line; do
            __quarterdeck_reply "${line%%$'\t'*}" "$value" "$before" "$kept"
        done < <("${words[0]/#\~/$HOME}" _complete "$pending" "${fleet//[\"\'\\]/}" 2>/dev/null)
        ;;
    esac
}

complete -F _quarterdeck @PROGRAMS@
"""


def script(known: Tables) -> str:
    """The script of bash."""
    tables = "\n".join(
        [
            case("commands", "commands", by_list(known.commands, lambda found: quoted(_names(found)))),
            case("options", "options", by_list(known.options, lambda found: quoted(_names(found)))),
            kinds(known),
        ]
    )
    return _BASH.replace("@TABLES@", tables).replace("@PROGRAMS@", " ".join(PROGRAMS))


def by_list(found: dict[str, list[tuple[str, str]]], text: Callable[[list[tuple[str, str]]], str]) -> Arms:
    """An arm for all places that have the same list."""
    same: dict[str, list[str]] = {}
    for place, entries in found.items():
        same.setdefault(text(entries), []).append(place)
    return [(tuple(places), body) for body, places in same.items()]


def _names(found: Iterable[tuple[str, str]]) -> str:
    return " ".join(name for name, _ in found)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def kinds(known: Tables) -> str:
    values = [(patterns, quoted(kind)) for patterns, kind in known.values]
    words = [(patterns, quoted(kind)) for patterns, kind in known.words]
    return case("value", "kind", values) + "\n" + case("word", "kind", words)


def case(name: str, variable: str, arms: Arms, empty: str = "") -> str:
    """A function of bash or zsh that sets ``variable`` by its argument."""
    lines = [f"__quarterdeck_{name}() {{", f"    {variable}={empty}", "    case $1 in"]
    lines += [f"    {' | '.join(map(_pattern, patterns))}) {variable}={body} ;;" for patterns, body in arms]
    return "\n".join([*lines, "    esac", "}", ""])


def _pattern(pattern: str) -> str:
    """Quoted, but for the star at either end."""
    left, right = pattern.startswith("*"), pattern.endswith("*")
    middle = pattern[left : len(pattern) - right]
    return "*" * left + quoted(middle) + "*" * right

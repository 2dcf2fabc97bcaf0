"""The completion script of zsh. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from quarterdeck.cli.completion import PROGRAMS, Tables
from quarterdeck.cli.completion_bash import by_list, case, kinds, quoted

_ZSH = r"""#compdef @PROGRAMS@
# zsh completion of quarterdeck: written by `quarterdeck completion zsh`; as _quarterdeck in a folder of $fpath, or sourced.

@TABLES@
__quarterdeck_ask() {
    # $1: the kind, $2: the fleet file. Offers the names, with what is said of them.
    local -a found
    local line name about
    while IFS= read -r line; do
        name=${line%%$'\t'*} about=${line#"$name"}
        name=${name//\\/\\\\}
        found+=("${name//:/\\:}${about:+:${about#$'\t'}}")
    done < <("${words[1]/#\~/$HOME}" _complete "$1" "$2" 2>/dev/null)
    _describe -t names "$1" found
}

_quarterdeck() {
    local at='' kind='' pending='' fleet='' line previous=''
    local -a verbs options
    integer count=0 i given=1
    for ((i = 2; i < CURRENT; i++)); do
        line=${(Q)words[i]}
        if [[ -n $pending ]]; then
            [[ $previous == --fleet ]] && fleet=$line
            pending=
        elif [[ $line == -- ]]; then
            _default
            return
        elif [[ $line == --fleet=* ]]; then
            fleet=${line#*=}
        elif [[ $line == -* ]]; then
            if [[ $line != --*=* ]]; then
                __quarterdeck_value "$at $line"
                pending=$kind
            fi
        elif ((count == 0)) && __quarterdeck_commands "$at" && [[ -n ${(M)verbs:#${(b)line}:*} ]]; then
            at="$at${at:+ }$line"
        else
            ((++count))
        fi
        previous=$line
    done
    if [[ -z $pending ]]; then
        if [[ $PREFIX == --*=* ]]; then
            __quarterdeck_value "$at ${PREFIX%%=*}"
            pending=$kind
            compset -P '*='
        elif [[ $PREFIX == -* ]]; then
            __quarterdeck_options "$at"
            _describe -o option options
            return
        else
            __quarterdeck_word "$at#$count"
            pending=$kind
            verbs=()
            if ((count == 0)); then
                __quarterdeck_commands "$at"
                ((${#verbs})) && _describe -t commands command verbs && given=0
            fi
        fi
    fi
    case $pending in
    '' | -) return $given ;;
    file) _files ;;
    '='*) compadd -- ${=pending#=} ;;
    *) __quarterdeck_ask "$pending" "$fleet" ;;
    esac
}

if [[ ${funcstack[1]} == _quarterdeck ]]; then
    _quarterdeck "$@"
else
    compdef _quarterdeck @PROGRAMS@
fi
"""


def script(known: Tables) -> str:
    """The script of zsh."""
    tables = "\n".join(
        [
            case("commands", "verbs", by_list(known.commands, _described), empty="()"),
            case("options", "options", by_list(known.options, _described), empty="()"),
            kinds(known),
        ]
    )
    return _ZSH.replace("@TABLES@", tables).replace("@PROGRAMS@", " ".join(PROGRAMS))


def _described(found: Iterable[tuple[str, str]]) -> str:
    entries = [quoted(name.replace(":", "\\:") + ":" + about) for name, about in found]
    return "(" + " ".join(entries) + ")"

#!/bin/bash
# What completes a line of sluice in bash, by _sluice_table(), which sluice itself prints before
# this (cli/completion.h). The line is split here, since bash takes the colons of a worker's name
# for ends of words.

_sluice() {
    local options kind word words line=${COMP_LINE:0:COMP_POINT}
    read -ra words <<<"$line"
    case $line in *[[:space:]]) words+=('') ;; esac
    word=${words[-1]}
    COMPREPLY=()
    if [ ${#words[@]} -le 2 ]; then
        options='--help --version' kind='command'
    else
        _sluice_table "${words[1]}" "${words[-2]}"
    fi
    case $kind:$word in
    *:-*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word") ;;
    file:*) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W "$(_sluice_words "$kind")" -- "$word")
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*:}"}"}")
        ;;
    esac
}
complete -F _sluice sluice

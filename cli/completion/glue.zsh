# What completes a line of sluice in zsh, by what sluice itself prints before this
# (cli/completion.h).

_sluice() {
    local options kind
    local -a names
    if (( CURRENT == 2 )); then
        _sluice_commands
        _describe command names
        return
    fi
    _sluice_table "$words[2]" "$words[CURRENT-1]"
    case $kind:$words[CURRENT] in
    *:-*) compadd -- ${=options} ;;
    file:*) _files ;;
    *) names=($(_sluice_words $kind)) && compadd -a names ;;
    esac
}
_sluice "$@"

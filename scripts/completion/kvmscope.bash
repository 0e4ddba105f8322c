# bash completion for kvmscope, which knows by itself what may follow.
_kvmscope() {
    local words=() word then
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        # bash splits --format=json into three words
        [[ $word == = ]] || words+=("$word")
    done
    [[ ${COMP_WORDS[COMP_CWORD]} != = ]] || words+=("")
    COMPREPLY=()
    compopt -o nospace
    while IFS=$'\t' read -r then word _; do
        case $then in
        blank) COMPREPLY+=("$word ") ;;
        nothing) COMPREPLY+=("$word") ;;
        file) compopt +o nospace -o default ;;
        esac
    done < <("${1/#\~/$HOME}" help --complete -- "${words[@]}" 2>/dev/null)
}
complete -F _kvmscope kvmscope

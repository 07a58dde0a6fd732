# bash completion of wshub-cat and wshub-bench
_wshub_tools() {
    local now=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    case $before in
        --cacert | --cert | --key) COMPREPLY=($(compgen -f -- "$now")); return ;;
        --*)
            case " --token --auth --join --event --on --header --protocol --proxy --timeout --quiet --namespace --path --query --transports --answer --clients --ramp --rate --seconds --size --rooms --room --data --fan " in
                *" $before "*) return ;; # its value is anything
            esac ;;
    esac
    case ${COMP_WORDS[0]##*/} in
        wshub-bench) words="--clients --ramp --rate --seconds --size --rooms --room --event --on --data --fan --raw --socketio --ack --join --namespace --path --transports --timeout --quiet --token --auth --deflate --cacert --cert --key --insecure --json" ;;
        *) words="--raw --exact --socketio --namespace --path --query --transports --ack --answer --token --auth --join --event --on --json --data --header --protocol --proxy --deflate --cacert --cert --key --insecure --timeout --quiet --reconnect" ;;
    esac
    case $now in
        -*) COMPREPLY=($(compgen -W "$words --help" -- "$now")) ;;
        *) COMPREPLY=($(compgen -W "ws:// wss:// http:// https://" -- "$now")) ;;
    esac
}
complete -o nospace -F _wshub_tools wshub-cat wshub-bench

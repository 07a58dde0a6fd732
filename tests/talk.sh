# What scripts of tests have in common that talk with programs: each says the next thing when it has seen what it waits
# for, however slow the machine is. To be sourced: . tests/talk.sh
patience=${TALK_PATIENCE:-60} # seconds, behind which a wait is in vain; a test whose output says so has failed

# Waits until a file has a line of a pattern (of egrep), from line number $3 (1) on. Prints the number of that line.
line_of() { # file, pattern, the first line that counts
    end=$(($(date +%s) + patience)); from=${3:-1}
    until at=$(tail -n +"$from" "$1" 2>/dev/null | grep -anE -m 1 -- "$2"); do
        [ "$(date +%s)" -lt $end ] || { echo "waited in vain for $2"; return 1; }
        sleep 0.05
    done
    echo $((from - 1 + ${at%%:*}))
}

# The same of the whole file, and prints what is in it by then.
says() { # file, pattern
    line_of "$1" "$2" >/dev/null || echo "waited in vain for $2, saw:"
    cat "$1"
}

# The port that a program writes into a file when it listens.
port_of() { # file
    line_of "$1" '[0-9]{2,}' >/dev/null
    grep -oE '[0-9]{2,}' "$1" | head -1
}

# Waits until a command succeeds.
until_ok() { # the command and its arguments
    end=$(($(date +%s) + patience))
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt $end ] || { echo "waited in vain for $*"; return 1; }
        sleep 0.05
    done
}

# Runs a program and talks with it. The steps, a line each: `> TEXT` writes a line to its standard input, `< PATTERN` waits
# for a line of its output, behind the one that was waited for last, `? COMMAND` until a command of the shell succeeds,
# `!` ends the program (a function has to `exec` it). Behind the last step its input ends, and it is waited for. Prints its
# output, errors too, and `status N`; what is waited for in vain, and then the program is killed.
talk() ( # steps, program, arguments
    steps=$1; shift
    mkdir -p build; dir=$(mktemp -d build/talk.XXXXXX); mkfifo "$dir/in"; : >"$dir/out"
    { "$@" <"$dir/in" & echo $! >"$dir/pid"; wait $!; echo "status $?"; } >"$dir/out" 2>&1 &
    trap '' PIPE # it may end before it is told everything
    exec 9>"$dir/in"
    until_ok test -s "$dir/pid"
    line=0
    while IFS= read -r step; do
        case $step in
        '> '*) printf '%s\n' "${step#> }" >&9 2>/dev/null ;;
        '? '*) vain=$(until_ok eval "${step#\? }") || { line=$vain; break; } ;;
        '!') kill "$(cat "$dir/pid")" ;;
        '< '*) line=$(line_of "$dir/out" "${step#< }" $((line + 1))) || break ;;
        *) line="no step: $step"; break ;;
        esac
    done <<END
$steps
END
    exec 9>&-
    case $line in *[!0-9]*) ;; *) vain=$(line_of "$dir/out" '^status [0-9]+$') && line=0 || line="$vain, its end" ;; esac
    [ "$line" = 0 ] || kill -9 "$(cat "$dir/pid")" 2>/dev/null
    wait
    cat "$dir/out"
    [ "$line" = 0 ] || echo "$line"
    rm -rf "$dir"
)

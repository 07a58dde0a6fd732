#!/bin/sh
# Two chats on one Redis, and a Redis that goes away: what the people in them see, and how it heals.
#
# Run:  make && sh examples/two_instances.sh          (needs redis-server; Return kills and restarts it)
#       sh examples/two_instances.sh --auto           (does so by itself, once, and ends)
# Look: http://127.0.0.1:8081 and http://127.0.0.1:8082, a window each; write in both. Lines, rooms and typing are shared;
#       who is here is told by each chat of its own people.
set -u
auto=${1:-}; redis_port=${REDIS_PORT:-6399}; a=${PORT_A:-8081}; b=${PORT_B:-8082}; dir=$(mktemp -d); page=$(dirname "$0")/chat
command -v redis-server >/dev/null || { echo "two_instances: redis-server is not installed"; exit 1; }
[ -x build/chat ] || { echo "two_instances: build the chat first: make"; exit 1; }
start_redis() { redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$dir" --save '' >/dev/null & redis=$!; }
end() { kill "$chat_a" "$chat_b" 2>/dev/null; kill -9 "$redis" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"; }
say() { echo "two_instances: $1"; }
pause() { if [ "$auto" = --auto ]; then sleep 2; else read -r _ || sleep 2; fi; }

start_redis
build/chat --page "$page" --redis "redis://127.0.0.1:$redis_port" "$a" & chat_a=$!
build/chat --page "$page" --redis "redis://127.0.0.1:$redis_port" "$b" & chat_b=$!
trap 'end; exit 130' INT TERM
say "Redis is there: both chats are one. Return kills Redis."
pause
kill -9 "$redis"; wait "$redis" 2>/dev/null
say "Redis is gone: each chat goes on alone and has told its people. Return starts it again."
pause
start_redis
say "Redis is back: within a moment both are one again, and say how long they were not. Return ends it."
pause
end
say "done"

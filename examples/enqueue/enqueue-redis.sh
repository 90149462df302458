#!/bin/sh
# Enqueue with nothing but Redis' own client. Redis' address is in REDIS_URL.
#
# A job is one JSON object on a list. `class` and `args` are required; a jid of your own lets you
# find it again. The name of the queue goes into the set `queues`, for those who look.
#
# Usage: enqueue-redis.sh [SECONDS]    the second job is due in so many seconds (default: 60)
set -eu

redis() { redis-cli -u "${REDIS_URL:-redis://127.0.0.1:6379}" "$@"; }

new_jid() { od -An -N12 -tx1 /dev/urandom | tr -d ' \n'; }

# Fails when Redis says an error, which redis-cli prints and calls a success.
must() {
    reply=$(redis "$@")
    case $reply in
    '' | *[!0-9]*)
        echo "redis: $reply" >&2
        exit 1
        ;;
    esac
}

jid=$(new_jid)
must SADD queues default
must LPUSH queue:default "{\"class\":\"checksum\",\"args\":[\"/etc/hosts\"],\"jid\":\"$jid\"}"
echo "single $jid"

# Due by Redis' clock, which all workers share. The job says in which queue it will run.
jid=$(new_jid)
now=$(redis TIME | head -n 1)
must ZADD schedule $((now + ${1:-60})) "{\"class\":\"noop\",\"queue\":\"default\",\"jid\":\"$jid\",\
\"args\":[12345678901234567890, 1.10, \"\\u00e9\", [], {}]}"
echo "delayed $jid"

# One LPUSH is all or nothing; the first is the first to run.
a=$(new_jid) b=$(new_jid) c=$(new_jid)
must SADD queues low
must LPUSH queue:low \
    "{\"class\":\"checksum\",\"args\":[\"/etc/hosts\"],\"jid\":\"$a\"}" \
    "{\"class\":\"checksum\",\"args\":[\"/etc/services\"],\"jid\":\"$b\"}" \
    "{\"class\":\"checksum\",\"args\":[\"/etc/passwd\"],\"jid\":\"$c\"}"
echo "bulk $a $b $c"

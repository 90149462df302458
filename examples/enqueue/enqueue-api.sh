#!/bin/sh
# Enqueue over HTTP, with curl. Needs sluice-api, whose address is in SLUICE_API.
#
# The API checks the jobs, gives them a jid and enqueues all of a request or none. The
# Idempotency-Key makes it safe to send a request again when no answer came.
#
# Usage: enqueue-api.sh [SECONDS]    the second job is due in so many seconds (default: 60)
set -eu

api=${SLUICE_API:-http://127.0.0.1:8394}
due=$(($(date +%s) + ${1:-60}))

# Prints the jids of the answer {"jid":"…"} or {"jids":["…",…]} behind a word.
enqueue() { # word, key, jobs
    answer=$(curl --silent --show-error --fail-with-body \
        --retry 3 --retry-connrefused --max-time 10 \
        -H 'Content-Type: application/json' -H "Idempotency-Key: $2" \
        ${SLUICE_API_TOKEN:+-H "Authorization: Bearer $SLUICE_API_TOKEN"} \
        --data-binary "$3" "$api/v1/jobs")
    echo "$1" "$(echo "$answer" | grep -oE '[0-9a-f]{24}' | xargs)"
}

# A key names an occasion, such as an order; here each run of the script is one.
run=$(date +%s)-$$

enqueue single "$run/single" '{"class":"checksum","args":["/etc/hosts"]}'

enqueue delayed "$run/delayed" \
    "{\"class\":\"noop\",\"args\":[12345678901234567890, 1.10, \"\\u00e9\", [], {}],\"at\":$due}"

enqueue bulk "$run/bulk" '[{"class":"checksum","args":["/etc/hosts"],"queue":"low"},
    {"class":"checksum","args":["/etc/services"],"queue":"low"},
    {"class":"checksum","args":["/etc/passwd"],"queue":"low"}]'

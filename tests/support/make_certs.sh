#!/bin/sh
# make_certs.sh DIR: two authorities (ca, other); under `ca` a certificate `server` for localhost
# and 127.0.0.1, one `elsewhere` for another host, and one `client`. What openssl has to say goes
# to DIR/log.
set -eu
cd "$1"
exec >log 2>&1

request() { # request NAME FILE [ARGUMENT…]
    name=$1 out=$2
    shift 2
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
        -keyout "$name.key" -out "$out" "$@"
}

for authority in ca other; do
    request $authority $authority.pem -x509 -days 2
done
certify() { # certify NAME SUBJECT-ALTERNATIVE-NAMES
    request "$1" "$1.csr"
    echo "subjectAltName=$2" >names
    openssl x509 -req -days 2 -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial \
        -extfile names -out "$1.pem"
}
certify server DNS:localhost,IP:127.0.0.1
certify elsewhere DNS:elsewhere.example,IP:192.0.2.1
certify client DNS:client.example

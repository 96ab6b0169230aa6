#!/bin/bash
# Sees to it that there is a key with its certificate before the proxy starts, which would not start without. `deploy certificate`
# puts it there. Where none can be read, one of the former is taken, else one is made for trying it: browsers will warn of that.
# Renamed into place: the proxy sees all of it or none.
set -euo pipefail
umask 077

is_readable() { openssl x509 -in "$1" -noout 2>/dev/null && openssl pkey -in "$1" -noout 2>/dev/null; }
warn() { echo "{\"level\":\"warn\",\"msg\":\"$1\"}"; }

! is_readable "$CERTIFICATE_FILE" || exit 0
if [ -s "$CERTIFICATE_FILE" ]; then
  warn "no key and certificate can be read from $CERTIFICATE_FILE, which is kept as $CERTIFICATE_FILE.unreadable; next: deploy certificate"
  mv "$CERTIFICATE_FILE" "$CERTIFICATE_FILE.unreadable"
fi
for former in "${CERTIFICATE_FILE%/*}"/before.*; do # of a `deploy certificate` that was killed
  if is_readable "$former"; then
    mv "$former" "$CERTIFICATE_FILE"
    exit 0
  fi
done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 -keyout /dev/stdout \
  -subj '/O=made by tasuki/CN=localhost' -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' 2>/dev/null |
  cat >"$CERTIFICATE_FILE.made" # a pipe: both the key and the certificate go to it
mv "$CERTIFICATE_FILE.made" "$CERTIFICATE_FILE"

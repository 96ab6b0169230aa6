#!/bin/bash
# Makes a certificate for trying it, where there is none yet: browsers will warn of it. `deploy certificate` puts another in its
# place. Renamed into place: nginx sees all of it or none.
set -euo pipefail
[ ! -s "$CERTIFICATE_FILE" ] || exit 0
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 -keyout /dev/stdout \
  -subj '/O=made by tasuki/CN=localhost' -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' 2>/dev/null |
  cat >"$CERTIFICATE_FILE.made" # a pipe: both the key and the certificate go to it
mv "$CERTIFICATE_FILE.made" "$CERTIFICATE_FILE"

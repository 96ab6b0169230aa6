#!/bin/bash
# Run by the image before nginx starts.
set -euo pipefail

/etc/proxy-common/upstream.sh render
/etc/proxy-common/certificate.sh
/etc/proxy-common/watch.sh

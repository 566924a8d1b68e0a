#!/usr/bin/env bash
# Installs Debian packages: apt.sh PACKAGE ...
set -euo pipefail
if ! command -v apt-get >/dev/null; then
  echo "make: missing $*, and there is no apt-get here; install what brings the same and run again" >&2; exit 1
fi
sudo=""; [ "$EUID" -eq 0 ] || sudo="sudo"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "$@"

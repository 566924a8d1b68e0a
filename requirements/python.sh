#!/usr/bin/env bash
# Sees to it that $PYTHON can make virtual environments; Debian keeps ensurepip in a package of its own.
set -euo pipefail
python=${PYTHON:-python3.11}
usable() { command -v "$python" >/dev/null 2>&1 && "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; }
usable && exit 0
if command -v apt-get >/dev/null; then
  sudo=""; [ "$(id -u)" -eq 0 ] || sudo="sudo"
  export DEBIAN_FRONTEND=noninteractive
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends "$python" "$python-venv" || true
fi
usable && exit 0
echo "make: $python with venv was not found; install Python 3.11 (Debian: python3.11-venv) or set PYTHON=python3.x" >&2
exit 1

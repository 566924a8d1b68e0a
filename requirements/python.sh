#!/usr/bin/env bash
# Makes DIRECTORY a virtual environment of the newest CPython from 3.11 up: python.sh DIRECTORY [distribution].
# A Python counts only if it really runs what a virtual environment and the gateway need; a name on the PATH may be a shim
# that does not. $PYTHON overrides the choice. With `distribution`, which the benchmark asks for, those of the distribution
# or the official image come first: their build, which users run, does the same work for 10 to 20 % less.
# Nothing is done where DIRECTORY is of this very Python already.
set -euo pipefail
directory=$1 preferred=${2:-}
here=$(dirname "$0")
readonly CODE='
import os, platform, sys
import ensurepip, sqlite3, ssl, venv
assert platform.python_implementation() == "CPython" and sys.version_info >= (3, 11)
assert sys.version_info.releaselevel == "final"
print("%d.%d.%d" % sys.version_info[:3], os.path.realpath(sys._base_executable))'

# Prints "version program" of a Python that is good enough; else fails.
looked_at() { "$1" -c "$CODE" 2>/dev/null </dev/null; }

# Prints the same of the newest in these directories; of two with one version, that of the earlier directory.
newest_in() {
  local directory candidate seen=:
  for directory in "$@"; do
    directory=$(readlink -f -- "$directory") || continue
    [[ $seen == *:$directory:* ]] && continue
    seen+=$directory:
    for candidate in "$directory"/python3 "$directory"/python3.1[1-9] "$directory"/python3.[2-9][0-9]; do
      if [ -x "$candidate" ]; then looked_at "$candidate" || true; fi
    done
  done | sort -s -r -V -k 1,1 | head -n 1
}

found() {
  local directories newest=""
  IFS=: read -r -a directories <<<"$PATH"
  [ "$preferred" != distribution ] || newest=$(newest_in /usr/bin /usr/local/bin)
  [ -n "$newest" ] || newest=$(newest_in "${directories[@]}")
  [ -n "$newest" ] && echo "$newest"
}

if [ -n "${PYTHON:-}" ]; then
  chosen=$(looked_at "$PYTHON") || {
    echo "make: PYTHON=$PYTHON is not CPython 3.11 or newer that imports ensurepip, sqlite3, ssl and venv" >&2; exit 1; }
elif ! chosen=$(found); then
  mapfile -t packages < <(awk '!/^#/ && $3 == "demo" { print $2 }' "$here/programs")
  bash "$here/apt.sh" "${packages[@]}"
  chosen=$(found) || {
    echo "make: no CPython 3.11 or newer that imports ensurepip, sqlite3, ssl and venv; install one or set PYTHON" >&2
    exit 1; }
fi

read -r version python <<<"$chosen"
stamp=$directory/pyvenv.cfg
if [ -x "$directory/bin/pip" ] && grep -qxF "version = $version" "$stamp" && grep -qxF "executable = $python" "$stamp"; then
  exit 0
fi
echo "make: $directory is made with Python $version, $python"
"$python" -m venv --clear "$directory"

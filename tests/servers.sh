#!/usr/bin/env bash
# Installs, through apt and only where missing, the browsers and servers that the tests drive;
# with `bench` also what the benchmark needs.
set -euo pipefail
missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need chromium chromium
need firefox-esr firefox-esr
need nginx nginx-light
[ "${1:-}" = bench ] && { need wrk wrk; need taskset util-linux; }
[ ${#missing[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null; then
  echo "tests: missing ${missing[*]} and no apt-get here; install them and run again" >&2; exit 1
fi
sudo=""; [ "$(id -u)" -eq 0 ] || sudo="sudo"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}"

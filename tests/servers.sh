#!/usr/bin/env bash
# Installs, through apt and only where missing, the browsers and servers that the tests drive;
# with `bench` or `bench-quick` instead what the benchmark needs. Apache comes without the package that would start it.
set -euo pipefail
missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need nginx nginx-light
case "${1:-}" in
  bench*) need wrk wrk; need taskset util-linux ;;
  *) need chromium chromium; need firefox-esr firefox-esr; need redis-server redis-server ;;
esac
if [ "${1:-}" = bench ]; then
  need apache2 apache2-bin
  [ -e /usr/lib/apache2/modules/mod_auth_openidc.so ] || missing+=(libapache2-mod-auth-openidc)
fi
[ ${#missing[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null; then
  echo "tests: missing ${missing[*]} and no apt-get here; install them and run again" >&2; exit 1
fi
sudo=""; [ "$(id -u)" -eq 0 ] || sudo="sudo"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}"

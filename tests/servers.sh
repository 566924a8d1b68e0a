#!/usr/bin/env bash
# Installs, through apt and only where missing, what requirements/programs lists for WHO: servers.sh [WHO], by default tests;
# and makes build/programs/WHO, the directory of links that is their whole PATH. Apache and Redis come without being started.
set -euo pipefail
cd "$(dirname "$0")/.."
who=${1:-tests}
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH # what apt installs, before what else has the same name

rows() { awk -v who="$who" '!/^#/ && index("," $3 ",", "," who ",") { print $1, $2 }' requirements/programs; }
there() { case $1 in -) false ;; /*) [ -e "$1" ] ;; *) [ -n "$(type -P "$1")" ] ;; esac; }

missing=()
while read -r program package; do
  there "$program" || [ "$package" = - ] || missing+=("$package")
done < <(rows)
[ ${#missing[@]} -eq 0 ] || bash requirements/apt.sh "${missing[@]}"

links=build/programs/$who
mkdir -p build/programs
new=$(mktemp -d build/programs/.XXXXXX)
trap 'rm -rf "$new"' EXIT
while read -r program package; do
  case $program in
    /*) ;;
    *) ! there "$program" || ln -s "$(type -P "$program")" "$new/$program" ;;
  esac
done < <(rows)
cp requirements/programs "$new/.table"
# Left alone where it is right already: somebody may be running with it.
if ! diff -r --no-dereference "$links" "$new" >/dev/null 2>&1; then
  rm -rf "$links"
  mv "$new" "$links"
fi

#!/usr/bin/env bash
# Runs what `make test` leaves out because it is large: targets of the Makefile, each given as target:minutes.
# A target that takes longer is stopped and has failed; the others still run. Together they may take 30 minutes.
set -uo pipefail
readonly WHOLE=30 MINUTE=${MINUTE:-60} # seconds of a minute: its own test has shorter ones
minutes=0
for entry in "$@"; do minutes=$((minutes + ${entry#*:})); done
if [ "$minutes" -gt "$WHOLE" ]; then
  echo "test-more: $* are $minutes minutes, more than $WHOLE; give a target less, or a place of its own" >&2; exit 2
fi
running=""
stop() { [ -z "$running" ] || { kill "$running"; wait "$running"; }; exit 130; }
trap stop INT TERM
outcome=(); failed=0
for entry in "$@"; do
  target=${entry%%:*}; bound=${entry#*:}; begun=$SECONDS
  timeout --kill-after=30 "$((bound * MINUTE))" "${MAKE:-make}" --no-print-directory "$target" & running=$!
  wait "$running"; status=$?; running=""
  took="$((SECONDS - begun)) s of $((bound * MINUTE)) s"
  case $status in
    0) outcome+=("passed   $target, $took") ;;
    124 | 137) failed=1; outcome+=("too long $target, $took") ;;
    *) failed=1; outcome+=("failed   $target, $took") ;;
  esac
done
printf 'test-more: %s\n' "${outcome[@]}"
exit $failed

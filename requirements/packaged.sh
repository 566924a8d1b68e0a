#!/usr/bin/env bash
# Prints the Python that the distribution or the official image has: profile-guided and linked in one piece, as users
# run it, which makes the same work 10 to 20 % cheaper than a plain build of one's own. Else $PYTHON.
set -euo pipefail
for python in /usr/bin/python3.11 /usr/local/bin/python3.11; do
  if [ -x "$python" ] && "$python" -c 'import venv' 2>/dev/null; then echo "$python"; exit 0; fi
done
command -v "${PYTHON:-python3.11}"

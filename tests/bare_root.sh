#!/usr/bin/env bash
# Does a newcomer's machine need nothing but make and git? As root, with debootstrap and git installed:
#
#     tests/bare_root.sh [bookworm|trixie|...] [demo] [test] [any other target]
#
# makes the smallest Debian of that release (by default bookworm) with make and git in a directory of its own, clones what
# is committed in this checkout into it, and runs the targets there without a terminal: `demo` until it is ready and its
# application answers, every other to its end; by default demo and test. It has its own processes, /proc, /dev and /tmp;
# the network is this machine's, on whose port 8080 and those after it nothing else may listen during `demo`.
# Mirrors and proxies come from this machine's apt, those of pip and npm from its own configuration.
# Everything is stopped after MINUTES (80), and nothing is left behind; KEEP=1 leaves the directory, to look into.
set -euo pipefail
readonly MINUTES=${MINUTES:-80} READY=600 SETTINGS='^(PIP|NPM_CONFIG|npm_config|UV)_|_(proxy|PROXY)$|^(SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|NODE_EXTRA_CA_CERTS|CURL_CA_BUNDLE)$'
fail() { echo "bare root: $*" >&2; exit 1; }
say() { printf 'bare root: %s, %s s\n' "$*" "$SECONDS"; }

# --- in namespaces of its own, as their first process: with it all others end, and the mounts go
apt_source() { # LABEL: the address of this machine's mirror for packages with it
  apt-get indextargets --format '$(LABEL) $(COMPONENT) $(SITE)' 'Created-By: Packages' |
    awk -v label="$1" '$1 == label && $2 == "main" { print $3; exit }'
}

make_root() {
  local mirror security
  mirror=$(apt_source Debian); security=$(apt_source Debian-Security)
  [ -n "$mirror" ] || fail "apt knows no mirror of Debian here; run apt-get update, or add one"
  http_proxy=${http_proxy:-$(apt-config dump --format '%v%n' Acquire::http::Proxy | head -n 1)} \
    debootstrap --variant=minbase --include=make,git "$release" "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail -n 20 "$root.log"; fail "debootstrap failed"; }
  {
    echo "deb $mirror $release main"
    echo "deb $mirror $release-updates main"
    [ -z "$security" ] || echo "deb $security $release-security main"
  } >"$root/etc/apt/sources.list"
  apt-config dump --format '%f "%v";%n' Acquire | grep -E '^Acquire::(http|https|ftp|Check-|Retries|ForceIPv)' \
    >"$root/etc/apt/apt.conf.d/90this-machine" || true
  local place
  for place in /etc/apt/auth.conf /etc/apt/auth.conf.d /etc/resolv.conf /etc/hosts /usr/local/share/ca-certificates \
    /etc/pip.conf "$HOME/.pip/pip.conf" "$HOME/.config/pip/pip.conf" /etc/npmrc /usr/etc/npmrc "$HOME/.npmrc"; do
    bring "$place" "${place/#$HOME/\/root}"
  done
}

bring() { # FROM TO: a file or directory of this machine into the root
  [ -e "$1" ] || return 0
  mkdir -p "$root$(dirname "$2")"
  cp -a --dereference --remove-destination --no-target-directory "$1" "$root$2"
}

mount_in() {
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t tmpfs -o mode=755 dev "$root/dev"
  mkdir "$root/dev/shm" "$root/dev/pts"
  mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
  local name
  for name in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "$root/dev/${name%:*}" c 1 "${name#*:}"; done
  mknod -m 666 "$root/dev/tty" c 5 0
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s fd/0 "$root/dev/stdin"; ln -s fd/1 "$root/dev/stdout"; ln -s fd/2 "$root/dev/stderr"
}

settings() { # what this machine tells pip, npm and others by the environment, and the files that it names
  local name
  while read -r name; do
    [[ $name =~ $SETTINGS ]] || continue
    environ+=("$name=${!name}")
    case ${!name} in /*) bring "${!name}" "${!name}" ;; esac
  done < <(compgen -e)
}

in_root() { # COMMAND ...: in the clone, as on a fresh machine; its output is on one stream
  chroot "$root" env -i "${environ[@]}" bash -c 'cd /checkout && exec "$@"' bare-root "$@" </dev/null 2>&1
}

answers() { # does the demo's application answer? It sends people to sign in.
  local line
  exec 3<>/dev/tcp/127.0.0.1/8080 || return 1
  printf 'GET / HTTP/1.1\r\nHost: app.localhost:8080\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nConnection: close\r\n\r\n' >&3
  read -r -t 10 line <&3; exec 3>&-
  [[ $line == "HTTP/1.1 302"* ]] || { echo "bare root: the application said: $line" >&2; return 1; }
}

demo_to_ready() {
  local log=$root/demo.log demo end=$((SECONDS + READY))
  in_root make demo >"$log" & demo=$!
  until grep -q '^ready' "$log"; do
    kill -0 "$demo" 2>/dev/null || { tail -n 40 "$log"; fail "make demo ended before it was ready"; }
    [ $SECONDS -lt $end ] || { tail -n 40 "$log"; fail "make demo was not ready within $READY s"; }
    sleep 0.2
  done
  answers || { tail -n 40 "$log"; fail "make demo said ready, and its application does not answer"; }
  kill "$(pgrep -f -o 'gateway demo$')"
  wait "$demo" || true
}

inside() {
  root=$1 release=$2 clone=$3; shift 3
  environ=(HOME=/root LANG=C.UTF-8 TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  make_root
  settings
  mount_in
  git clone --quiet --depth 1 "file://$clone" "$root/checkout"
  say "$release with make and git, and the checkout"
  local target began
  for target in "$@"; do
    began=$SECONDS
    case $target in
      demo) demo_to_ready; say "make demo was ready and answered after $((SECONDS - began)) s" ;;
      *) in_root make "$target" || fail "make $target failed on $release after $((SECONDS - began)) s"
        say "make $target passed on $release after $((SECONDS - began)) s" ;;
    esac
  done
}

if [ "${1:-}" = --inside ]; then shift; inside "$@"; exit; fi

# --- outside: a directory, its namespaces, a bound
[ "$EUID" -eq 0 ] || fail "only root can make one"
for name in debootstrap git unshare; do command -v $name >/dev/null || fail "$name is missing; apt-get install it"; done
clone=$(git -C "$(dirname "$0")/.." rev-parse --show-toplevel)
[ -z "$(git -C "$clone" status --porcelain)" ] || echo "bare root: what is not committed is not tried"
release=bookworm
case ${1:-} in demo | test* | "") ;; *) release=$1; shift ;; esac
[ $# -gt 0 ] || set -- demo test
root=$(mktemp -d "${TMPDIR:-/tmp}/bare-root.XXXXXX")
running=""
ended() {
  [ -z "$running" ] || { kill -KILL -- "-$running"; wait "$running"; } 2>/dev/null || true
  if [ -n "${KEEP:-}" ]; then echo "bare root: left in $root"; else rm -rf --one-file-system "$root" "$root.log"; fi
}
trap ended EXIT
trap 'exit 130' INT TERM
chmod 755 "$root"
# timeout leads a process group of its own; with it goes unshare, and with that, all that is in the namespace.
timeout --signal=KILL "${MINUTES}m" \
  unshare --mount --pid --mount-proc --ipc --fork --kill-child "$BASH" "$0" --inside "$root" "$release" "$clone" "$@" & running=$!
status=0; wait "$running" || status=$?
running=""
[ $status -ne 137 ] || fail "stopped after $MINUTES minutes"
exit $status

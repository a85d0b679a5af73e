# shellcheck shell=bash
# What the scripts of this folder share. Sourced, never run.

# A failure inside $(...) ends the script too.
shopt -s inherit_errexit

# shellcheck disable=SC2034 # Those who source this use it.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() { printf '%s\n' "$*" >&2; }
die() {
    say "error: $*"
    exit 1
}

# random_hex BYTES
random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# port_open PORT: somebody answers on 127.0.0.1.
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port: below 32768, so that no outgoing connection can take it between two starts.
free_port() {
    local port attempt
    for attempt in {1..50}; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 10000))
        port_open "$port" || { echo "$port" && return; }
    done
    die "no free port after $attempt attempts"
}

# alive PID: a zombie that nobody reaps (a container without init) is not alive.
alive() {
    kill -0 "$1" 2>/dev/null || return 1
    [[ -r /proc/$1/stat ]] || return 0
    local state
    state=$(sed 's/.*) \(.\).*/\1/' "/proc/$1/stat" 2>/dev/null) || return 1
    [[ $state != [ZX] ]]
}

# pid_in FILE NAME: prints the process that FILE names, if it lives and is still a NAME: the number
# may belong to a stranger by now.
pid_in() {
    local pid='' name
    if [[ -r $1 ]]; then read -r pid <"$1" || true; fi
    [[ $pid =~ ^[0-9]+$ ]] || return 1
    alive "$pid" || return 1
    name=$(cat "/proc/$pid/comm" 2>/dev/null || basename "$(ps -o comm= -p "$pid")")
    # shellcheck disable=SC2053 # NAME is a pattern on purpose.
    [[ $name == $2 ]] && echo "$pid"
}

# wait_gone PID SECONDS
wait_gone() {
    local tick
    for ((tick = 0; tick < $2 * 20; tick++)); do
        alive "$1" || return 0
        sleep 0.05
    done
    return 1
}

# end_process FILE NAME: SIGTERM, and SIGKILL for one that did not listen for 20 s.
end_process() {
    local pid
    if pid=$(pid_in "$1" "$2"); then
        kill -TERM "$pid" 2>/dev/null || true
        wait_gone "$pid" 20 || {
            say "$2 ($pid) did not stop within 20 s: killed"
            kill -KILL "$pid" 2>/dev/null || true
            wait_gone "$pid" 5 || die "process $pid does not go away"
        }
    fi
    rm -f "$1"
}

# install_packages PACKAGE...: by apt where we are root, otherwise says what is missing. Runs in a
# shell of its own, so that its trap leaves the caller's alone.
install_packages() (
    [[ $# -gt 0 ]] || exit 0
    if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        die "missing on this machine; install these (Debian's names) and try again: $*"
    fi
    say "installing: $*"
    policy=/usr/sbin/policy-rc.d
    # Without this Debian starts its own PostgreSQL and Redis at once; ours are private ones.
    if [[ ! -e $policy ]]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 0755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -q && apt-get install -qy --no-install-recommends "$@"; } >&2 ||
        die "apt-get could not install: $*"
)

# What the build needs beside Rust.
install_tools() {
    local -a packages=()
    command -v cargo >/dev/null || die "Rust is missing: install it (rust-version in Cargo.toml)"
    command -v cc >/dev/null || packages+=(gcc libc6-dev)
    command -v make >/dev/null || packages+=(make)
    command -v pkg-config >/dev/null || packages+=(pkg-config)
    [[ -d /etc/ssl/certs ]] || packages+=(ca-certificates)
    install_packages "${packages[@]}"
}

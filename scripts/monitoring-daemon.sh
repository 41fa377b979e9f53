#!/usr/bin/env bash
# Looks at every part again and again, and tells whoever must know when something begins, worsens or ends.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: monitoring-daemon.sh [--check-interval-seconds SECONDS] [--format FORMAT] [--records FILE]

Runs pso-health round after round, and hands its records to pso-alert, until it is ended by a signal (Ctrl-C, TERM). stdout
has the notices and how they were delivered. The tools read config/config.yaml of the current folder, or the file in
PSO_CONFIG.

  --check-interval-seconds SECONDS
                         how long from the beginning of a round to that of the next (300)
  --format FORMAT        auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal)
  --records FILE         also append the notices to FILE as JSON lines

exit codes: 0 all was well, 1 warning, 2 high or critical, 3 something could not be looked at, or one of the two died
TEXT
}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

check_interval_seconds=300 format=auto records=''
options 'check-interval-seconds=number format=text records=text' "$@"
need pso-health pso-alert

# A pipe of the shell's would keep a signal waiting for its end, which never comes: so both run beside it. pso-health ends
# when it is told to, or when pso-alert is gone, and pso-alert when its input ends.
exec 3> >(exec pso-alert --source monitoring-daemon --format "$format" ${records:+--records "$records"})
alert=$!
pso-health --every "${check_interval_seconds}s" >&3 3>&- &
health=$!
exec 3>&-
signalled=''
trap 'signalled=yes; kill -TERM "$health" 2>/dev/null || true' HUP INT TERM

# `wait` comes back early when a signal comes; then it is asked again.
ended() {
    while
        signalled='' code=0
        wait "$1" || code=$?
        [ -n "$signalled" ]
    do :; done
    if [ "$code" -gt 3 ]; then
        echo "$me: $2 died with exit code $code" >&2
        code=3
    fi
}
ended "$health" pso-health
found=$code
ended "$alert" pso-alert
[ "$code" -ge "$found" ] || code=$found
exit "$code"

#!/usr/bin/env bash
# Tells people something by hand, on every enabled channel.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: send-alert.sh --message TEXT [--severity SEVERITY] [--format FORMAT] [--records FILE]

Runs pso-alert send. It reads config/alerts.yaml of the current folder, or the file in PSO_ALERTS_FILE.

  --message TEXT         what people read
  --severity SEVERITY    Info, Warning, High or Critical; case does not count (High)
  --format FORMAT        auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal)
  --records FILE         also append all records to FILE as JSON lines

exit codes: 0 told, 1 a channel will be tried again later, 2 a channel could not be told, 3 nothing was attempted
TEXT
}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

message='' severity=High format=auto records=''
options 'message=text severity=text format=text records=text' "$@"
[ -n "$message" ] || refuse '--message is missing'
need pso-alert

# With = so that a message may begin with a dash.
pso-alert send --severity="$severity" --message="$message" --format "$format" ${records:+--records "$records"}

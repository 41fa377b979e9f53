#!/usr/bin/env bash
# What do the logs say: errors by type, unresolved conflicts, validation errors, security events; whoever must know is told.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: analyze-logs.sh [--log-path PATH] [--hours-back HOURS] [--format FORMAT] [--records FILE]

Runs pso-logscan and hands its records to pso-alert, which passes them on to stdout; more than 50 errors are an alarm. The
tools read config/config.yaml of the current folder, or the file in PSO_CONFIG.

  --log-path PATH        a folder of logs, or a log (the folder of the configuration: ./logs)
  --hours-back HOURS     how far back the logs are read (24)
  --format FORMAT        auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal)
  --records FILE         also append all records to FILE as JSON lines

exit codes: 0 all is well, 1 warning, 2 high or critical, 3 something could not be looked at
TEXT
}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

log_path='' hours_back=24 format=auto records=''
options 'log-path=text hours-back=number format=text records=text' "$@"
need pso-logscan pso-alert

pso-logscan --since "${hours_back}h" ${log_path:+-- "$log_path"} |
    pso-alert --tee --source analyze-logs --format "$format" ${records:+--records "$records"}

#!/usr/bin/env bash
# Is every part up, fast and within its limits, who is at work in the database and how its tables stand; whoever must know is
# told.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: daily-health-check.sh [--format FORMAT] [--records FILE]

Runs pso-health (service and its metrics, PostgreSQL, Qdrant's collections, token, ports, disks, backups, …) and pso-pgstats
(sessions at work, rows of the tables), and hands the records to pso-alert, which passes them on to stdout. The tools read
config/config.yaml of the current folder, or the file in PSO_CONFIG.

  --format FORMAT        auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal)
  --records FILE         also append all records to FILE as JSON lines

exit codes: 0 all is well, 1 warning, 2 high or critical, 3 something could not be looked at
TEXT
}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

format=auto records=''
options 'format=text records=text' "$@"
need pso-health pso-pgstats pso-alert

{
    step pso-health
    step pso-pgstats activity tables
} | pso-alert --tee --source daily-health-check --format "$format" ${records:+--records "$records"}

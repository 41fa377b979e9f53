#!/usr/bin/env bash
# What to do about the database: unused indexes, dead rows, bloat, slow statements, settings; with the SQL for it.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: performance-recommendations.sh [--format FORMAT] [--records FILE]

Runs pso-pgstats advice: the worst first, with the reason, the SQL that follows it and the SQL that takes it back. Nothing is
changed. It reads config/config.yaml of the current folder, or the file in PSO_CONFIG.

  --format FORMAT        auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal)
  --records FILE         also append all records to FILE as JSON lines

exit codes: 0 nothing to do, 1 advice that should be followed, 2 advice that cannot wait, 3 something could not be looked at
TEXT
}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

format=auto records=''
options 'format=text records=text' "$@"
need pso-pgstats

pso-pgstats advice --format "$format" ${records:+--records "$records"}

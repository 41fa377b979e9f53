#!/usr/bin/env bash
# Where the time and the space go: the slowest statements, the size of the tables, the use of the indexes.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: performance-analysis.sh [--format FORMAT] [--records FILE]

Runs pso-pgstats: statements slower than a second on average (they need the extension pg_stat_statements), the size of each
table, the use of each index. Nothing is changed. It reads config/config.yaml of the current folder, or the file in
PSO_CONFIG.

  --format FORMAT        auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal)
  --records FILE         also append all records to FILE as JSON lines

exit codes: 0 all is well, 1 warning, 2 high or critical, 3 something could not be looked at
TEXT
}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

format=auto records=''
options 'format=text records=text' "$@"
need pso-pgstats

pso-pgstats statements sizes indexes --format "$format" ${records:+--records "$records"}

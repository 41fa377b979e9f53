#!/usr/bin/env bash
# Is anything open that should be closed, and who has tried to get in: files, secrets, token, ports, PostgreSQL, Qdrant, and
# the security events of the last seven days; whoever must know is told.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: security-check.sh [--format FORMAT] [--records FILE]

Runs pso-logscan (security events of the last seven days) and pso-audit, and hands the records to pso-alert, which passes them
on to stdout. Nothing is changed. The tools read config/config.yaml of the current folder, or the file in PSO_CONFIG.

  --format FORMAT        auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal)
  --records FILE         also append all records to FILE as JSON lines

exit codes: 0 all is well, 1 warning, 2 high or critical, 3 something could not be looked at
cron:  0 6 * * 1  cd /srv/planning && security-check.sh --records logs/maintenance.jsonl >/dev/null 2>>logs/maintenance.err
TEXT
}

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

format=auto records=''
options 'format=text records=text' "$@"
need pso-logscan pso-audit pso-alert

# How many errors there were is no matter of security, and a week has more of them than a day may have.
pso-logscan --since 7d --events security --last 100000 --max-errors 1000000000 |
    pso-audit - |
    pso-alert --tee --source security-check --format "$format" ${records:+--records "$records"}

#Requires -Version 7.4
<#
.SYNOPSIS
Is every part up, fast and within its limits, who is at work in the database and how its tables stand.

.DESCRIPTION
Runs pso-health (service and its metrics, PostgreSQL, Qdrant's collections, token, ports, disks, backups, ...) and pso-pgstats
(sessions at work, rows of the tables), and hands the records to pso-alert, which passes them on to stdout.
The tools read config/config.yaml of the current folder, or the file in PSO_CONFIG.

.PARAMETER Format
auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal).

.PARAMETER Records
Also append all records to this file as JSON lines.

.EXAMPLE
./scripts/daily-health-check.ps1

.NOTES
Exit codes: 0 all is well, 1 warning, 2 high or critical, 3 something could not be looked at. PowerShell itself answers 1 to
a wrong parameter.
#>
[CmdletBinding()]
param(
    [string] $Format = 'auto',
    [string] $Records = ''
)
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Tool pso-health pso-pgstats pso-alert
$kept = @(Get-RecordsArgument $Records)

& {
    Invoke-Step pso-health
    Invoke-Step pso-pgstats activity tables
} | pso-alert --tee --source daily-health-check --format $Format @kept
exit $LASTEXITCODE

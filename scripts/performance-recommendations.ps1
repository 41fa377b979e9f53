#Requires -Version 7.4
<#
.SYNOPSIS
What to do about the database: unused indexes, dead rows, bloat, slow statements, settings; with the SQL for it.

.DESCRIPTION
Runs pso-pgstats advice: the worst first, with the reason, the SQL that follows it and the SQL that takes it back. Nothing is
changed. The tools read config/config.yaml of the current folder, or the file in PSO_CONFIG.

.PARAMETER Format
auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal).

.PARAMETER Records
Also append all records to this file as JSON lines.

.EXAMPLE
./scripts/performance-recommendations.ps1

.NOTES
Exit codes: 0 nothing to do, 1 advice that should be followed, 2 advice that cannot wait, 3 something could not be looked at.
PowerShell itself answers 1 to a wrong parameter.
#>
[CmdletBinding()]
param(
    [string] $Format = 'auto',
    [string] $Records = ''
)
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Tool pso-pgstats
$kept = @(Get-RecordsArgument $Records)

pso-pgstats advice --format $Format @kept
exit $LASTEXITCODE

#Requires -Version 7.4
<#
.SYNOPSIS
Where the time and the space go: the slowest statements, the size of the tables, the use of the indexes.

.DESCRIPTION
Runs pso-pgstats: statements slower than a second on average (they need the extension pg_stat_statements), the size of each
table, the use of each index. Nothing is changed.
The tools read config/config.yaml of the current folder, or the file in PSO_CONFIG.

.PARAMETER Format
auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal).

.PARAMETER Records
Also append all records to this file as JSON lines.

.EXAMPLE
./scripts/performance-analysis.ps1

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

Assert-Tool pso-pgstats
$kept = @(Get-RecordsArgument $Records)

pso-pgstats statements sizes indexes --format $Format @kept
exit $LASTEXITCODE

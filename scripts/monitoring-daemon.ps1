#Requires -Version 7.4
<#
.SYNOPSIS
Looks at every part again and again, and tells whoever must know when something begins, worsens or ends.

.DESCRIPTION
Runs pso-health round after round, and hands its records to pso-alert, until it is ended (Ctrl-C). stdout has the notices
and how they were delivered. The tools read config/config.yaml of the current folder, or the file in PSO_CONFIG.

.PARAMETER CheckIntervalSeconds
How long from the beginning of a round to that of the next, in seconds.

.PARAMETER Format
auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal).

.PARAMETER Records
Also append the notices to this file as JSON lines.

.EXAMPLE
./scripts/monitoring-daemon.ps1 -CheckIntervalSeconds 60

.NOTES
Exit codes: 0 all was well, 1 warning, 2 high or critical, 3 something could not be looked at. PowerShell itself answers 1 to
a wrong parameter.
#>
[CmdletBinding()]
param(
    [ValidateRange(1, 99999)] [int] $CheckIntervalSeconds = 300,
    [string] $Format = 'auto',
    [string] $Records = ''
)
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Tool pso-health pso-alert
$kept = @(Get-RecordsArgument $Records)

pso-health --every "${CheckIntervalSeconds}s" |
    pso-alert --source monitoring-daemon --format $Format @kept
exit $LASTEXITCODE

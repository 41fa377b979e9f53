#Requires -Version 7.4
<#
.SYNOPSIS
What do the logs say: errors by type, unresolved conflicts, validation errors, security events.

.DESCRIPTION
Runs pso-logscan and hands its records to pso-alert, which passes them on to stdout; more than 50 errors are an alarm.
The tools read config/config.yaml of the current folder, or the file in PSO_CONFIG.

.PARAMETER LogPath
A folder of logs, or a log; the folder of the configuration (./logs) when it is not given.

.PARAMETER HoursBack
How far back the logs are read, in hours.

.PARAMETER Format
auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal).

.PARAMETER Records
Also append all records to this file as JSON lines.

.EXAMPLE
./scripts/analyze-logs.ps1 -LogPath ./logs -HoursBack 48

.NOTES
Exit codes: 0 all is well, 1 warning, 2 high or critical, 3 something could not be looked at. PowerShell itself answers 1 to
a wrong parameter.
#>
[CmdletBinding()]
param(
    [string] $LogPath = '',
    [ValidateRange(1, 99999)] [int] $HoursBack = 24,
    [string] $Format = 'auto',
    [string] $Records = ''
)
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Tool pso-logscan pso-alert
$kept = @(Get-RecordsArgument $Records)
$path = @(if ($LogPath) { '--', (ConvertTo-NativePath $LogPath) })

pso-logscan --since "${HoursBack}h" @path |
    pso-alert --tee --source analyze-logs --format $Format @kept
exit $LASTEXITCODE

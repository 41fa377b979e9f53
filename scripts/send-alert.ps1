#Requires -Version 7.4
<#
.SYNOPSIS
Tells people something by hand, on every enabled channel.

.DESCRIPTION
Runs pso-alert send. It reads config/alerts.yaml of the current folder, or the file in PSO_ALERTS_FILE.

.PARAMETER Message
What people read.

.PARAMETER Severity
Info, Warning, High or Critical; case does not count.

.PARAMETER Format
auto, jsonl, table, openmetrics or nagios: how stdout looks (auto: a table on a terminal).

.PARAMETER Records
Also append all records to this file as JSON lines.

.EXAMPLE
./scripts/send-alert.ps1 -Message "High error count detected" -Severity "High"

.NOTES
Exit codes: 0 told, 1 a channel will be tried again later, 2 a channel could not be told, 3 nothing was attempted. PowerShell
itself answers 1 to a wrong parameter.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)] [string] $Message,
    [string] $Severity = 'High',
    [string] $Format = 'auto',
    [string] $Records = ''
)
. (Join-Path $PSScriptRoot 'lib.ps1')

Assert-Tool pso-alert
$kept = @(Get-RecordsArgument $Records)

# With = so that a message may begin with a dash.
pso-alert send "--severity=$Severity" "--message=$Message" --format $Format @kept
exit $LASTEXITCODE

//! What `--help` says beside the flags.

/// What stands under the flags of the scan.
pub(super) const SCAN: &str = "\
Classes, each as the specification greps for it (a line may belong to several):
  error       ERROR\\s+(\\w+), as it is written; the type is the word. Also a JSON line whose level,
              severity or lvl is error, fatal or worse; the type is the first word of its type,
              error, code, msg or message. Beyond the specification: ERROR as a word of its own
              (`ERROR: disk full`, `[ERROR] …`; not ERRORS, NO_ERROR) without a word to follow,
              unless a JSON line's level says otherwise; the type is (untyped), as it is for a
              JSON line without a word. Colours of a terminal around ERROR are no text.
  conflict    conflict.*unresolved, in any case
  validation  ValidationError, in any case; the type is the word that follows, if one does
  security    authentication, authorization or security, in any case; the type is that word
Others are added with --class or under maintenance.logscan.classes, which has for each NAME a pattern, and if wanted a \
severity, a threshold and events:
  --class 'oom=Out of memory: Killed process \\d+ \\((?<type>[^)]+)\\)'
  --class 'slow:high:100=took [0-9]{5,} ms'
  The name is of small letters, digits, - and _. The pattern is matched on each line alone, ^ and $ are its ends, (?i) \
is for any case (https://docs.rs/regex/latest/regex/#syntax); the type is what the group named type has matched, \
else the first group, if there is one. The class's sum is of its SEVERITY (info, warning, high, critical; a warning \
unless said otherwise) when there are more lines than the THRESHOLD (0 unless said otherwise).

Time: a stamp stands at the beginning of its line, where colours may stand before it, or in a JSON line. A line \
without one belongs to the record before it, as stack traces do; lines before a file's first stamp always count. \
Without --since and --until everything counts. A file may change from one format to another; log.coverage names the \
first:
  rfc3339        2025-06-12T09:00:00.123Z
  iso            2025-06-12 09:00:00,123, 2025-06-12 09:00:00.123 +0200, 2025-06-12T09:00:00
  go             2025/06/12 09:00:00, as Go and nginx's error log have it
  cbs            2025-06-12 09:00:00, Info, as Windows' servicing has it
  log4j          [2025-06-12 09:00:00,123], INFO 2025-06-12 09:00:00,123, 12 Jun 2025 09:00:00,123
  syslog         Jun 12 09:00:00, Jun 12 2025 09:00:00, with <34> before it or not (RFC 3164)
  rfc5424        <34>1 2025-06-12T09:00:00.123Z
  klog           I0612 09:00:00.123456, I20250612 09:00:00.123456
  apache-access  192.0.2.1 - - [12/Jun/2025:09:00:00 +0200], as nginx has it too
  apache-error   [Thu Jun 12 09:00:00.123456 2025]
  dmy            12/Jun/2025:09:00:00 +0200, 12/Jun/2025 09:00:00, 12-Jun-2025 09:00:00
  ymd-short      25/06/12 09:00:00
  compact        250612 090000, 20250612-9:0:0:123
  epoch          1749718800, 1749718800.123, [1749718800]; ms, us and ns are told by their digits
                 (any number of 10, 13, 16 or 19 digits that a line begins with is taken for one)
  json           time, ts, timestamp or @timestamp, as one of these or a number since 1970
A stamp without a zone is of --tz, else PSO_LOGSCAN_TZ, else of the first entry of maintenance.logscan.zones whose \
pattern its file fits (by name, by its name before it was rotated, or by path), else of maintenance.logscan.tz, else \
UTC; log.coverage says of which; names such as CEST are not read. A time that clocks show twice in autumn is the \
first of the two, one that they leave out in spring is counted on by the old offset. --since and --until without a \
zone are of --tz or maintenance.logscan.tz.
A stamp without a year is of the latest year in which it is not more than a day after the file was last written, or \
after the month that follows the date in the file's name; so a file must not go back further than a year from there.

The window: with --since or --until a plain file of 4 MiB or more that is in the order of time is not read whole. \
The ends of the window are searched for, and only what lies between them is read, with the lines before the file's first \
stamp; log.coverage has the rest as skipped_bytes, and the numbers of lines are not known (log.event has an offset then). \
Whether a file is in order is judged by 128 places spread over it, by those that the search looks at, and by all that is \
read: where a stamp is more than a minute before an earlier one, all of the file is read. A line out of place where \
nothing was looked at is not seen, nor is a line there without a stamp that is too far behind one (2,000 lines or 1 MiB) \
to belong to its record; such lines count in any window where they are read. --whole reads everything, and so does \
--bookmark; packed files, UTF-16 and standard input are always read from end to end.

Templates: --templates groups records by what they have in common. <*> stands for what differs: numbers, names, paths, or \
several words. A log.template has the count, the first and the last moment, an example, and the level that its lines \
name, if they do (trace, debug, info, notice, warning, error or critical). With --bookmark, new is true for what no run with that bookmark has seen \
before, except in the first; new errors are a warning, so that they wake somebody. --assign adds a log.line for each \
record: its path, the number and offset of its first line, and its template.

Bookmark: a file is known again by its content (its first bytes, and those before the place up to which it was read), so \
it may be renamed, packed or copied and truncated between the runs. Every line is told at least once: the bookmark is \
moved on when all records were written, so those of a run that was killed, or whose reader went away, come again. What \
was truncated or removed before it was read is a log.coverage of severity unknown. A last line without an end waits for \
the next run, unless its file was rotated away or nobody has written to it for ten minutes. One run at a time can use a \
bookmark.
Follow: begins at the bookmark, else at --since, else at the end of each file. A line is told when it is finished. \
SIGINT and SIGTERM end it with the counts of all that it has told; the bookmark is moved on every few seconds too.
The same content under two names (rotated and then packed, copied, linked) is counted once.

Records: one log.coverage a file (what was read of it, and what was not), log.event for the last lines of each class, \
log.count for each class and for each of its types, the most frequent first. With --by a log.count also for each class \
and type and each span of UTC in which there are any (bucket_at, bucket_seconds); lines without a time, and all beyond \
100,000 of these counts, are in no bucket, and the class's sum says how many. With --top the types behind the first N \
are the type (other), as are those beyond 10,000.
  Severity: the errors' sum is high above --max-errors, unresolved conflicts are a warning, added classes are as \
above, all else is ok (none) or info (some). What could not be read is unknown, and so is finding no log at all.

Exit codes: 0 ok or info, 1 warning, 2 high, 3 something was not read, or a usage or configuration error.

Examples:
  pso-logscan --since 24h
  pso-logscan --since 7d --events error --last 5 logs/sync-engine.log*
  pso-logscan --since 7d --by 6h --top 5 --events none
  journalctl -u planning-sync -o cat | pso-logscan -
  pso-logscan --since 1h logs | jq -r 'select(.kind==\"log.event\") | .message'
  pso-logscan --events none logs | jq -r 'select(.type) | \"\\(.count) \\(.type)\"'
  for host in web1 web2; do ssh -n \"$host\" pso-logscan --since 1h; done | pso-logscan merge";

/// What stands under the flags of `merge`.
pub(super) const MERGE: &str = "\
Records of the same key are folded into one: log.count of a class, type and bucket, log.template of a template, \
log.coverage of a path. Counts and sizes are added; first_at is the earliest, last_at the latest, example that of the \
earliest; parts is how many coverages were folded; a template is new where it was new to one of them. The severity is \
the worst of the parts' and of the whole's own: ten hosts with 40 errors each have 400, which are more than \
--max-errors. Added classes are held against their thresholds where --class or the configuration names them here too. \
In which order records come, and in how many steps they are merged, makes no difference.

log.event, log.line and the records of other tools are passed on as they come, before what is folded. run.start and \
run.end of pso-logscan are not: a run that began and never ended, or that failed, is a log.coverage of severity \
unknown named after its host, and so is what came in and is no record. A host that was never reached writes nothing at \
all: say with --expect how many runs there should be.

Exit codes: 0 ok or info, 1 warning, 2 high, 3 a run died, failed, is missing or could not read all that it should, \
input that is no record or no input at all, or a usage or configuration error.

Examples:
  parallel --nonall --sshlogin web1,web2 pso-logscan --since 1h | pso-logscan merge --expect 2
  for host in web1 web2; do ssh -n \"$host\" pso-logscan; done | pso-logscan merge | pso-alert
  find logs -name '*.log*' | parallel -m pso-logscan --events none {} | pso-logscan merge
  pso-logscan merge monday.jsonl tuesday.jsonl --format table";

//! Every format, line by line.

use crate::stamps::parse;

/// Moment, format, whether it names its zone, and what follows it, of a line's stamp; without a zone it is two hours
/// east of UTC, without a year in 1970.
fn shown(line: &str) -> Option<String> {
    let stamp = parse(line.as_bytes(), 7200)?;
    let at = stamp.at.timestamp().expect("in range");
    let zone = if stamp.zoned { "zoned" } else { "local" };
    let (stamp_text, rest) = (&line[stamp.start..stamp.end], &line[stamp.end..]);
    assert!(stamp_text.starts_with(|first: char| first.is_ascii_alphanumeric()), "{line}");
    Some(format!("{at} {} {zone} {rest}", stamp.format.name()))
}

fn check(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        assert_eq!(shown(line).unwrap_or_default(), *expected, "{line}");
    }
}

fn refused(lines: &[&str]) {
    for line in lines {
        assert_eq!(shown(line), None, "{line}");
    }
}

#[test]
fn iso() {
    check(&[
        ("2025-06-12T09:00:00.123Z ERROR", "2025-06-12T09:00:00.123Z rfc3339 zoned  ERROR"),
        ("2025-06-12T09:00:00Z", "2025-06-12T09:00:00.000Z rfc3339 zoned "),
        ("2025-06-12T09:00:00.1239999+01:00 x", "2025-06-12T08:00:00.123Z rfc3339 zoned  x"),
        ("2025-06-12T09:00:00-0330 x", "2025-06-12T12:30:00.000Z rfc3339 zoned  x"),
        ("2025-06-12t09:00:00z", "2025-06-12T09:00:00.000Z rfc3339 zoned "),
        ("2025-06-12T09:00:00 x", "2025-06-12T07:00:00.000Z iso local  x"),
        ("2025-06-12 09:00:00,123 INFO", "2025-06-12T07:00:00.123Z iso local  INFO"),
        ("2025-06-12 09:00:00.5 UTC [7]", "2025-06-12T09:00:00.500Z iso zoned  [7]"),
        ("2025-06-12 09:00:00 +0200 x", "2025-06-12T07:00:00.000Z iso zoned  x"),
        ("2025-06-12 09:00:00 -12 tasks", "2025-06-12T07:00:00.000Z iso local  -12 tasks"),
        ("2025/06/12 09:00:00 sync", "2025-06-12T07:00:00.000Z go local  sync"),
        ("2025/06/12 09:00:00.000123 x", "2025-06-12T07:00:00.000Z go local  x"),
        ("2025/06/12 09:00:00 [error] 7#7: *1 open()", "2025-06-12T07:00:00.000Z go local  [error] 7#7: *1 open()"),
        ("2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000Z rfc3339 zoned "),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z rfc3339 zoned "),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z rfc3339 zoned "),
        ("2025-06-12 09:00:00, then", "2025-06-12T07:00:00.000Z iso local , then"),
        ("2025-06-12 09:00:00+99:99", "2025-06-12T07:00:00.000Z iso local +99:99"),
        ("2016-09-28 04:30:30, Info      CBS", "2016-09-28T02:30:30.000Z cbs local , Info      CBS"),
        ("2016-09-28 04:30:30, Error     CSI", "2016-09-28T02:30:30.000Z cbs local , Error     CSI"),
    ]);
    refused(&[
        "",
        "2025-06-12",
        "2025-06-12T09:00",
        "2025-02-29T09:00:00Z",
        "2025-13-01T09:00:00Z",
        "2025-00-01T09:00:00Z",
        "2025-06-00T09:00:00Z",
        "2025-06-12T24:00:00Z",
        "2025-06-12T09:60:00Z",
        "2025-06-12T09:00:61Z",
        "2025-06/12 09:00:00",
        "2025/06/12T09:00:00",
        "2025-06-12T09:00:000",
        "2025-06-12T09:00:00x",
        "2025-06-12x09:00:00Z",
        " 2025-06-12T09:00:00Z",
        "2025-06-12T09:0\u{660}:00",
        "12025-06-12T09:00:00Z",
        "-2025-06-12T09:00:00Z",
    ]);
}

#[test]
fn log4j() {
    check(&[
        ("INFO  2015-07-29 17:41:44,747 - x", "2015-07-29T15:41:44.747Z log4j local  - x"),
        ("[2015-07-29 17:41:44,747] INFO", "2015-07-29T15:41:44.747Z log4j local ] INFO"),
        ("[2015-07-29T17:41:44Z INFO  main] x", "2015-07-29T17:41:44.000Z log4j zoned  INFO  main] x"),
        ("[INFO ] 2015-07-29 17:41:44.747 [main]", "2015-07-29T15:41:44.747Z log4j local  [main]"),
        ("WARN: 2015/07/29 17:41:44 x", "2015-07-29T15:41:44.000Z log4j local  x"),
        ("ERROR [2015-07-29 17:41:44,747] x", "2015-07-29T15:41:44.747Z log4j local ] x"),
        ("debug - 06 Nov 1994 15:49:37,459 x", "1994-11-06T13:49:37.459Z log4j local  x"),
        ("06 Nov 1994 15:49:37,459 [main] INFO", "1994-11-06T13:49:37.459Z log4j local  [main] INFO"),
        ("6 Nov 1994 15:49:37,459 x", "1994-11-06T13:49:37.459Z log4j local  x"),
    ]);
    refused(&[
        "INFO 2015-07-32 17:41:44,747 x",
        "INFO2015-07-29 17:41:44,747 x",
        "INFORM 2015-07-29 17:41:44,747 x",
        "saved 2015-07-29 17:41:44,747 x",
        "[2015-07-29] 17:41:44,747",
        "[ 2015-07-29 17:41:44,747]",
        "06 Nov 1994 15:49",
        "31 Nov 1994 15:49:37",
        "INFO",
        "INFO ",
        "ERROR 12 lines",
    ]);
}

#[test]
fn syslog() {
    check(&[
        ("Jun 12 09:00:00 host app[7]: x", "1970-06-12T07:00:00.000Z syslog local  host app[7]: x"),
        ("Jun  2 09:00:00 host", "1970-06-02T07:00:00.000Z syslog local  host"),
        ("Jun 02 09:00:00 host", "1970-06-02T07:00:00.000Z syslog local  host"),
        ("Jun 2 09:00:00 host", "1970-06-02T07:00:00.000Z syslog local  host"),
        ("Jun 12 09:00:00.123 host", "1970-06-12T07:00:00.123Z syslog local  host"),
        ("Jun 12 2025 09:00:00: %ASA-6", "2025-06-12T07:00:00.000Z syslog local : %ASA-6"),
        ("JUN 12 09:00:00 UTC: %SYS", "1970-06-12T09:00:00.000Z syslog zoned : %SYS"),
        // Before the reference 1970-10-28 there was none in 1970, so it is the one of the last leap year.
        ("Feb 29 12:00:00 host", "1968-02-29T10:00:00.000Z syslog local  host"),
        ("Dec 31 23:59:60 host", "1969-12-31T22:00:00.000Z syslog local  host"),
        ("<34>Oct 11 22:14:15 mymachine su: x", "1970-10-11T20:14:15.000Z syslog local  mymachine su: x"),
        ("<0>Oct 11 22:14:15", "1970-10-11T20:14:15.000Z syslog local "),
        ("<34>2003-10-11T22:14:15Z host", "2003-10-11T22:14:15.000Z rfc3339 zoned  host"),
        ("<34>1 2003-10-11T22:14:15.003Z host su - ID47", "2003-10-11T22:14:15.003Z rfc5424 zoned  host su - ID47"),
        ("<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1", "2003-08-24T12:14:15.000Z rfc5424 zoned  192.0.2.1"),
    ]);
    refused(&[
        "Jun 31 09:00:00 host",
        "Feb 30 09:00:00 host",
        "Jun 0 09:00:00 host",
        "Jun 12 24:00:00 host",
        "Jun 12 9:00:00 host",
        "Jun 12 09:00:00x",
        "Jum 12 09:00:00 host",
        "June 12 09:00:00 host",
        "Jun12 09:00:00 host",
        "Feb 29 2025 09:00:00 host",
        "Jun   2 09:00:00 host",
        "<192>Jun 12 09:00:00 host",
        "<>Jun 12 09:00:00 host",
        "<34>1 - host",
        "<34>1 2003-10-11 22:14:15 host",
        "<34>1 2003-10-11T22:14:15 host",
        "<34",
        "<html>",
        "May be",
    ]);
}

#[test]
fn klog() {
    check(&[
        ("I0612 09:00:00.123456   12345 file.go:123] x", "1970-06-12T07:00:00.123Z klog local    12345 file.go:123] x"),
        ("E20250612 09:00:00.123456 7 file.cc:1] x", "2025-06-12T07:00:00.123Z klog local  7 file.cc:1] x"),
        ("F0229 00:00:00.000000 1 f:1] x", "1968-02-28T22:00:00.000Z klog local  1 f:1] x"),
    ]);
    refused(&[
        "I0612 09:00:00 12345",
        "I0631 09:00:00.123456 7 x",
        "X0612 09:00:00.123456 7 x",
        "I06122 09:00:00.123456 7 x",
        "I0612 09:00:00.",
        "I0612",
        "E1",
    ]);
}

#[test]
fn apache() {
    check(&[
        (
            "127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200",
            "2000-10-10T20:55:36.000Z apache-access zoned ] \"GET / HTTP/1.0\" 200",
        ),
        (
            "::1 - - [10/Oct/2000:13:55:36 +0000] \"-\" 408 -",
            "2000-10-10T13:55:36.000Z apache-access zoned ] \"-\" 408 -",
        ),
        (
            "www.example.com:443 h.example - john [x] doe [10/Oct/2000:13:55:36 +0530] \"GET",
            "2000-10-10T08:25:36.000Z apache-access zoned ] \"GET",
        ),
        ("2001:db8::1 - - [10/Oct/2000:13:55:36 +0000] x", "2000-10-10T13:55:36.000Z apache-access zoned ] x"),
        ("- - - [10/Oct/2000:13:55:36 +0000] x", "2000-10-10T13:55:36.000Z apache-access zoned ] x"),
        ("[Sun Dec 04 04:47:44 2005] [notice] x", "2005-12-04T02:47:44.000Z apache-error local ] [notice] x"),
        ("[Wed Jun  4 04:47:44.123456 2025] [x]", "2025-06-04T02:47:44.123Z apache-error local ] [x]"),
    ]);
    refused(&[
        "127.0.0.1 - [10/Oct/2000:13:55:36 -0700] \"GET",
        "127.0.0.1 - - [32/Oct/2000:13:55:36 -0700] \"GET",
        "127.0.0.1 - - [10/Oct/2000:13:55:36] \"GET",
        "127.0.0.1 - - [10/Oct/2000:13:55:36 -0700 \"GET",
        "127.0.0.1 - - 10/Oct/2000:13:55:36 -0700 \"GET",
        "  127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] \"GET",
        "[Sum Dec 04 04:47:44 2005] x",
        "[Sun Dec 32 04:47:44 2005] x",
        "[Sun Dec 04 04:47:44 2005 x",
        "[Sun Dec 4 04:47:44 2005] x",
        "[Sun Dec 04 04:47:44] x",
        "[notice] x",
        "[",
        "a b c [",
    ]);
}

#[test]
fn day_first() {
    check(&[
        ("12/Jun/2025:09:00:00 +0200 x", "2025-06-12T07:00:00.000Z dmy zoned  x"),
        ("[12/Jun/2025:09:00:00 +0200] x", "2025-06-12T07:00:00.000Z dmy zoned ] x"),
        ("12/Jun/2025 09:00:00 x", "2025-06-12T07:00:00.000Z dmy local  x"),
        ("2/Jun/2025 09:00:00 x", "2025-06-02T07:00:00.000Z dmy local  x"),
        ("12-Jun-2025 09:00:00.123 INFO", "2025-06-12T07:00:00.123Z dmy local  INFO"),
        ("[12-JUN-2025 09:00:00 UTC] x", "2025-06-12T09:00:00.000Z dmy zoned ] x"),
    ]);
    refused(&[
        "12/06/2025 09:00:00 x",
        "12/Jun/2025T09:00:00 x",
        "12/Jun-2025 09:00:00 x",
        "12-Jun-2025:09:00:00 x",
        "31/Jun/2025 09:00:00 x",
        "0/Jun/2025 09:00:00 x",
        "12/Jun/25 09:00:00 x",
        "12/Jun/2025 09:00:00x",
        "12/Jun/2025 09:00",
        "12/Jun",
        "1",
        "12/",
    ]);
}

#[test]
fn compact() {
    check(&[
        ("17/06/09 20:10:40 INFO x", "2017-06-09T18:10:40.000Z ymd-short local  INFO x"),
        ("99/12/31 20:10:40,5 x", "2099-12-31T18:10:40.500Z ymd-short local  x"),
        ("081109 203615 148 INFO", "2008-11-09T18:36:15.000Z compact local  148 INFO"),
        ("20171223-22:15:29:606|Step", "2017-12-23T20:15:29.606Z compact local |Step"),
        ("20171224-0:7:5:6|Step", "2017-12-23T22:07:05.006Z compact local |Step"),
        ("20171224 00:07:05.25 x", "2017-12-23T22:07:05.250Z compact local  x"),
        ("20171224-0:7:5", "2017-12-23T22:07:05.000Z compact local "),
    ]);
    refused(&[
        "17/13/09 20:10:40 INFO",
        "17/06/31 20:10:40 INFO",
        "17/06/09 20:10:61 INFO",
        "17/06/09T20:10:40 INFO",
        "17/06/09 20:10:40x",
        "081109 243615 148",
        "081309 203615 148",
        "081109 203615: 148",
        "081109 203615148",
        "081109  203615",
        "20171324-0:7:5:6|x",
        "20171224-24:7:5:6|x",
        "20171224-0:7:x",
        "20171224-0:7:5:6x",
        "20171224",
        "123456",
    ]);
}

#[test]
fn epoch() {
    check(&[
        ("1749718800 x", "2025-06-12T09:00:00.000Z epoch zoned  x"),
        ("1749718800", "2025-06-12T09:00:00.000Z epoch zoned "),
        ("1749718800.123    12 192.0.2.1", "2025-06-12T09:00:00.123Z epoch zoned     12 192.0.2.1"),
        ("[1749718800] x", "2025-06-12T09:00:00.000Z epoch zoned ] x"),
        ("[1749718800.5] x", "2025-06-12T09:00:00.500Z epoch zoned ] x"),
        ("1749718800123: x", "2025-06-12T09:00:00.123Z epoch zoned : x"),
        ("1749718800123456,x", "2025-06-12T09:00:00.123Z epoch zoned ,x"),
        ("1749718800123456789|x", "2025-06-12T09:00:00.123Z epoch zoned |x"),
        ("4102444799 x", "2099-12-31T23:59:59.000Z epoch zoned  x"),
        ("1000000000 x", "2001-09-09T01:46:40.000Z epoch zoned  x"),
    ]);
    refused(&[
        "999999999 x",
        "4102444800 x",
        "9999999999 x",
        "0749718800 x",
        "17497188000 x",
        "174971880012 x",
        "17497188001234567891 x",
        "1749718800x",
        "1749718800/7",
        "1749718800-7",
        "1749718800.",
        "1749718800. That",
        "-1749718800 x",
        "1e9 x",
        "1000000000000000000000000000000 x",
        "[12345.678901] usb",
        "12345.678901 usb",
        "200 OK",
        "4711",
    ]);
}

#[test]
fn colours_before_the_stamp_are_passed_over() {
    check(&[
        ("\x1b[2m2025-06-12T09:00:00Z\x1b[0m x", "2025-06-12T09:00:00.000Z rfc3339 zoned \x1b[0m x"),
        ("\x1b[0m\x1b[38;5;12mJun 12 09:00:00 x", "1970-06-12T07:00:00.000Z syslog local  x"),
        ("\x1b[m[\x1b[0m", ""),
        ("\x1b[31mINFO 2015-07-29 17:41:44,747 - x", "2015-07-29T15:41:44.747Z log4j local  - x"),
        ("\x1b[31m1749718800\x1b[0m x", "2025-06-12T09:00:00.000Z epoch zoned \x1b[0m x"),
    ]);
    refused(&["\x1b", "\x1b[", "\x1b[31", "\x1b[31m", "\x1b[31m 2025-06-12T09:00:00Z", "\x1b[2J2025-06-12T09:00:00Z"]);
}

/// Records can carry four digits of a year, and so a zone moves no stamp beyond them.
#[test]
fn the_calendar_ends_with_its_last_second() {
    check(&[
        ("9999-12-31T23:59:59.5-23:59 x", "9999-12-31T23:59:59.999Z rfc3339 zoned  x"),
        ("9999-12-31T23:59:60Z", "9999-12-31T23:59:59.999Z rfc3339 zoned "),
        ("0000-01-01T00:00:00.5+23:59 x", "0000-01-01T00:00:00.000Z rfc3339 zoned  x"),
        ("0000-01-01 00:00:00 x", "0000-01-01T00:00:00.000Z iso local  x"),
    ]);
}

#[test]
fn only_plain_stamps_are_plain() {
    for (line, expected) in [
        ("2025-06-12T09:00:00Z x", true),
        ("2025-06-12 09:00:00 x", true),
        ("2025/06/12 09:00:00 x", true),
        ("2016-09-28 04:30:30, Info     CBS", true),
        ("1972-12-31 04:30:30 x", false),
        ("9999-12-30 23:59:59 x", true),
        ("9999-12-31T00:00:00Z x", false),
        ("<34>2025-06-12T09:00:00Z x", false),
        ("\x1b[m2025-06-12T09:00:00Z x", false),
        ("[2025-06-12T09:00:00Z] x", false),
        ("Jun 12 09:00:00 x", false),
        ("25/06/12 09:00:00 x", false),
    ] {
        let stamp = parse(line.as_bytes(), 0).expect("a stamp");
        assert_eq!(stamp.is_plain(), expected, "{line}");
    }
}

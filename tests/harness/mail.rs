//! The mail server refuses what strict servers refuse.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use pso_tests::smtp::{Fault, Options, Security, SmtpSink, Stage};

/// A plain session; each line of ours has one answer.
struct Session {
    stream: BufReader<TcpStream>,
}

impl Session {
    fn open(sink: &SmtpSink) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", sink.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut session = Self { stream: BufReader::new(stream) };
        assert_eq!(session.answer(), "220 mail.example.com ESMTP");
        session
    }

    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            // The last line of an answer has a space after its code.
            if line.get(3..4) != Some("-") {
                return line.trim_end().to_owned();
            }
        }
    }

    fn say(&mut self, line: &str) -> String {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.answer()
    }

    fn send(&mut self, text: &str) -> String {
        assert_eq!(self.say("MAIL FROM:<a@example.com>"), "250 2.1.0 Ok");
        assert_eq!(self.say("RCPT TO:<b@example.com>"), "250 2.1.5 Ok");
        assert_eq!(self.say("DATA"), "354 End data with <CR><LF>.<CR><LF>");
        self.say(&format!("{text}\r\n."))
    }
}

fn plain() -> SmtpSink {
    SmtpSink::with(Options { security: Security::None, mechanisms: "", ..Options::default() }).unwrap()
}

const HEAD: &str = "From: a@example.com\r\nTo: b@example.com\r\nSubject: s\r\nDate: Sun, 22 Nov 2026 09:00:00 +0000\r\n\
    Message-ID: <1@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain";

#[test]
fn a_mail_is_kept_as_it_was_meant_and_a_malformed_one_is_refused() {
    let sink = plain();
    let mut session = Session::open(&sink);
    assert_eq!(session.say("EHLO me"), "250 SIZE 1048576");
    assert!(session.send(&format!("{HEAD}\r\n\r\none\r\n..two")).starts_with("250 2.0.0 Ok"));
    let mails = sink.mails();
    assert_eq!((mails[0].from.as_str(), mails[0].to.as_slice()), ("a@example.com", &["b@example.com".to_owned()][..]));
    assert!(mails[0].text.ends_with("\r\n\r\none\r\n.two\r\n") && !mails[0].encrypted && mails[0].user.is_none());
    for (text, code) in [
        (format!("{HEAD}\r\n\r\na\nb"), "550 5.5.2"),
        (format!("{HEAD}\r\n\r\na\0b"), "550 5.5.2"),
        (format!("{HEAD}\r\n\r\n{}", "x".repeat(999)), "500 5.5.2"),
        (format!("{HEAD}\r\nSubject: twice\r\n\r\n"), "554 5.6.0"),
        (HEAD.replace("Subject: s\r\n", ""), "554 5.6.0"),
        (format!("{HEAD}\r\nno header\r\n\r\n"), "554 5.6.0"),
        (HEAD.replace("Subject: s", "Subject: é"), "554 5.6.7"),
    ] {
        let answer = session.send(&text);
        assert!(answer.starts_with(code), "{answer}: {text:.200}");
    }
    assert_eq!(sink.mails().len(), 1);
}

#[test]
fn nothing_is_taken_before_tls_and_a_login() {
    let sink = SmtpSink::start().unwrap();
    let mut session = Session::open(&sink);
    session.say("EHLO me");
    assert!(session.say("AUTH PLAIN AGEAYg==").starts_with("530 5.7.0"));
    assert!(session.say("MAIL FROM:<a@example.com>").starts_with("530 5.7.0"));
    let open = SmtpSink::with(Options { security: Security::None, ..Options::default() }).unwrap();
    let mut session = Session::open(&open);
    assert!(session.say("AUTH PLAIN AGEAYg==").starts_with("535 5.7.8"));
    assert!(session.say("MAIL FROM:<a@example.com>").starts_with("530 5.7.0"));
    // \0alerts@example.com\0s3cr3tSmtpPassword
    assert_eq!(session.say("AUTH PLAIN AGFsZXJ0c0BleGFtcGxlLmNvbQBzM2NyM3RTbXRwUGFzc3dvcmQ="), "235 2.7.0 Accepted");
    assert_eq!(session.say("MAIL FROM:<a@example.com>"), "250 2.1.0 Ok");
}

#[test]
fn it_misbehaves_as_planned() {
    let sink = plain();
    sink.plan([Some(Fault::answer(Stage::Mail, "450 4.2.0 later")), None, Some(Fault::lost_answer())]);
    assert_eq!(Session::open(&sink).say("MAIL FROM:<a@example.com>"), "450 4.2.0 later");
    assert!(Session::open(&sink).send(&format!("{HEAD}\r\n\r\n")).starts_with("250"));
    // The mail is there, and its sender hears nothing.
    assert_eq!(Session::open(&sink).send(&format!("{HEAD}\r\n\r\n")), "");
    assert_eq!((sink.mails().len(), sink.connections()), (2, 3));
    sink.refuse("b@example.com", "550 5.1.1 nobody");
    let mut session = Session::open(&sink);
    session.say("MAIL FROM:<a@example.com>");
    assert_eq!(session.say("RCPT TO:<b@example.com>"), "550 5.1.1 nobody");
}

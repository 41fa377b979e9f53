//! Mail, against a server with TLS and login.

use std::time::Duration;

use mail_parser::{HeaderValue, Message, MessageParser};
use pso_tests::smtp::{Fault, Kind, Mail, Options, PASSWORD, Security, SmtpSink, Stage, USER};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// `test mail`, to two people.
fn test_mail(sink: &SmtpSink) -> Outcome {
    let folder = deployment(&format!("alerts:\n  mail: {}\n", section(sink)));
    alert(folder.path()).args(["test", "mail"]).env("SMTP_PASSWORD", PASSWORD).run().expect("it runs")
}

fn section(sink: &SmtpSink) -> String {
    sink.section(&["admin@example.com", "ops@example.com"])
}

fn parsed(mail: &Mail) -> Message<'_> {
    MessageParser::default().parse(mail.text.as_bytes()).expect("a mail")
}

fn references(message: &Message<'_>) -> Vec<String> {
    match message.references() {
        HeaderValue::Text(one) => vec![one.to_string()],
        HeaderValue::TextList(list) => list.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_specifications_section_mails_over_starttls_with_a_login() {
    let sink = SmtpSink::start().unwrap();
    let server =
        format!("smtp_server: localhost\n    ca_file: {}\n    smtp_port: {}", sink.ca_file().display(), sink.port());
    let text = SPECIFICATION.replace("smtp_server: smtp.gmail.com\n    smtp_port: 587", &server);
    let text = text.replace("username: alerts@yourcompany.com", &format!("username: {USER}"));
    let folder = deployment(&text.replace("slack:\n    enabled: true", "slack:\n    enabled: false"));
    let outcome = alert(folder.path()).env("SMTP_PASSWORD", PASSWORD).stdin(trouble()).run().unwrap();
    outcome.assert_code(2).assert_no_secret(&[PASSWORD]);
    let mails = sink.mails();
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!((mail.encrypted, mail.user.as_deref(), mail.from.as_str()), (true, Some(USER), USER));
    assert_eq!(mail.to, ["admin@yourcompany.com", "ops@yourcompany.com"]);
    let message = parsed(mail);
    assert_eq!(message.subject(), Some("web-1: health.check service"));
    let from = message.from().and_then(|from| from.first()).expect("a sender");
    assert_eq!((from.name(), from.address()), (Some("pso-alert CRITICAL"), Some(USER)));
    let text = message.body_text(0).expect("a text");
    assert!(text.contains("🔴 CRITICAL System health check failed: service: it says so"), "{text}");
    let html = message.body_html(0).expect("HTML");
    assert!(
        html.contains(">CRITICAL</span>") && html.contains(">System health check failed: service: it says so</div>")
    );
    assert_eq!(message.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
}

#[test]
fn an_incidents_mails_are_one_conversation() {
    let sink = SmtpSink::start().unwrap();
    let folder = deployment(&format!("alerts:\n  mail: {}\n", section(&sink)));
    let run = |input: String| alert(folder.path()).env("SMTP_PASSWORD", PASSWORD).stdin(input).run().unwrap();
    run(trouble());
    let well = record("health.check", "service", "ok", &json!({"status": "healthy", "elapsed_ms": 1}));
    run([start(), well.replace("09:00:00", "09:10:00"), end("ok", 0)].concat().replace("T09:00", "T09:10"));
    let mails = sink.wait_for(2, PATIENCE).unwrap();
    let (fired, over) = (parsed(&mails[0]), parsed(&mails[1]));
    assert_eq!(references(&fired).len(), 1);
    assert_eq!((references(&fired), fired.subject()), (references(&over), over.subject()));
    assert_ne!(fired.message_id(), over.message_id());
    assert_eq!(over.from().and_then(|from| from.first()).and_then(|from| from.name()), Some("pso-alert RESOLVED"));
}

#[test]
fn every_kind_of_security_and_login_is_spoken() {
    for (security, mechanisms) in [
        (Security::StartTls, "PLAIN"),
        (Security::StartTls, "LOGIN"),
        (Security::Implicit, "PLAIN LOGIN"),
        (Security::None, "LOGIN"),
    ] {
        let sink = SmtpSink::with(Options { security, mechanisms, ..Options::default() }).unwrap();
        let outcome = test_mail(&sink);
        outcome
            .assert_code(0)
            .assert_no_secret(&[PASSWORD])
            .assert_stderr_has("mail (email) was told: 250 2.0.0 Ok: queued");
        assert_eq!(sink.mails()[0].encrypted, security != Security::None);
    }
    // Nobody needs to log in.
    let open = SmtpSink::with(Options { mechanisms: "", ..Options::default() }).unwrap();
    let section = section(&open).replace(", password: '${SMTP_PASSWORD}'", "");
    let folder = deployment(&format!("alerts:\n  mail: {section}\n"));
    alert(folder.path()).args(["test", "mail"]).run().unwrap().assert_code(0);
    assert_eq!(open.mails()[0].user, None);
}

#[test]
fn a_certificate_that_is_not_right_gets_no_password() {
    for (certificate, words) in [
        (Kind::Expired, "the certificate expired on"),
        (Kind::WrongName, "the certificate is for elsewhere.example, not for localhost"),
        (Kind::SelfSigned, "the certificate's issuer is not trusted"),
    ] {
        for security in [Security::StartTls, Security::Implicit] {
            let sink = SmtpSink::with(Options { security, certificate, ..Options::default() }).unwrap();
            let outcome = test_mail(&sink);
            outcome.assert_code(2).assert_stderr_has(words).assert_no_secret(&[PASSWORD]);
            assert!(sink.mails().is_empty());
        }
    }
}

#[test]
fn a_server_without_starttls_gets_nothing() {
    let sink = SmtpSink::with(Options { security: Security::None, ..Options::default() }).unwrap();
    for (word, said) in [
        ("starttls", "the server offers no STARTTLS"),
        ("opportunistic", "a password is not sent in the clear"),
        ("tls", "does not speak TLS"),
    ] {
        let section = section(&sink).replace("tls: none", &format!("tls: {word}"));
        let folder = deployment(&format!("alerts:\n  mail: {section}\n"));
        let outcome = alert(folder.path()).args(["test", "mail"]).env("SMTP_PASSWORD", PASSWORD).run().unwrap();
        outcome.assert_code(2).assert_stderr_has(said);
    }
    assert!(sink.mails().is_empty());
    // To another machine not even when somebody asks for it.
    let text = section(&sink).replace("smtp_server: localhost", "smtp_server: mail.example.com");
    let folder = deployment(&format!("alerts:\n  mail: {text}\n"));
    let outcome = alert(folder.path()).args(["test", "mail"]).env("SMTP_PASSWORD", PASSWORD).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("a password is not sent in the clear to another machine");
}

/// State and status of the one attempt of `test`.
fn attempt(outcome: &Outcome) -> (String, Option<u64>, String) {
    let record = outcome.record("alert.delivery", "mail");
    let text = |key: &str| record[key].as_str().expect("a text").to_owned();
    (text("state"), record["status"].as_u64(), text("message"))
}

#[test]
fn what_the_server_says_is_told_at_every_stage() {
    let sink = SmtpSink::start().unwrap();
    for (fault, status, words) in [
        (
            Fault::answer(Stage::Greeting, "554 5.7.1 No service for your network"),
            Some(554),
            "No service for your network",
        ),
        (Fault::answer(Stage::Greeting, "421 4.3.2 Too busy"), Some(421), "Too busy"),
        (Fault::drop(Stage::Greeting), None, "does not speak SMTP, or ended in the middle"),
        (Fault::answer(Stage::Ehlo, "502 5.5.1 No"), Some(502), "No"),
        (Fault::answer(Stage::StartTls, "454 4.7.0 TLS not available"), Some(454), "TLS not available"),
        (
            Fault::answer(Stage::Auth, "535 5.7.8 Username and Password not accepted"),
            Some(535),
            "the login is refused: 535",
        ),
        (Fault::answer(Stage::Auth, "454 4.7.0 Temporary authentication failure"), Some(454), "Temporary"),
        (Fault::answer(Stage::Mail, "553 5.7.1 Sender not yours"), Some(553), "the sender is refused: 553"),
        (Fault::answer(Stage::Rcpt, "421 4.4.2 Going down"), Some(421), "Going down"),
        (Fault::answer(Stage::Data, "451 4.3.0 Later"), Some(451), "Later"),
        (Fault::drop(Stage::Text), None, "ended in the middle"),
        (Fault::answer(Stage::End, "554 5.7.1 Looks like spam"), Some(554), "the mail is refused: 554"),
        (Fault::answer(Stage::End, "452 4.3.1 Disk full"), Some(452), "Disk full"),
        (Fault::drop(Stage::End), None, "ended in the middle"),
    ] {
        sink.plan([Some(fault.clone())]);
        let outcome = test_mail(&sink);
        outcome.assert_code(2).assert_no_secret(&[PASSWORD]);
        let (state, said, message) = attempt(&outcome);
        assert_eq!((state.as_str(), said), ("failed", status), "{fault:?}: {outcome}");
        assert!(message.contains(words), "{fault:?}: {message}");
    }
    assert!(sink.mails().is_empty());
}

#[test]
fn a_server_that_repeats_the_login_does_not_show_it() {
    let sink = SmtpSink::start().unwrap();
    // printf '\\0alerts@example.com\\0s3cr3tSmtpPassword' | base64, and of the password alone
    let (plain, login) = ("AGFsZXJ0c0BleGFtcGxlLmNvbQBzM2NyM3RTbXRwUGFzc3dvcmQ=", "czNjcjN0U210cFBhc3N3b3Jk");
    let line = format!("502 5.5.2 not recognized: AUTH PLAIN {plain} or {login}");
    sink.plan([Some(Fault::answer(Stage::Auth, &line))]);
    let outcome = test_mail(&sink);
    outcome.assert_code(2).assert_no_secret(&[PASSWORD, plain, login]);
    assert_eq!(attempt(&outcome).2, "the login is refused: 502 5.5.2 not recognized: AUTH PLAIN *** or ***");
}

#[test]
fn silence_at_any_stage_ends_in_time() {
    let sink = SmtpSink::start().unwrap();
    let folder = deployment(&format!("alerts:\n  mail: {}\n", section(&sink)));
    for stage in
        [Stage::Greeting, Stage::Ehlo, Stage::StartTls, Stage::Auth, Stage::Rcpt, Stage::Data, Stage::Text, Stage::End]
    {
        sink.plan([Some(Fault::silence(stage))]);
        let began = std::time::Instant::now();
        let tool = alert(folder.path()).args(["test", "mail", "--delivery-deadline", "500ms"]);
        let outcome = tool.env("SMTP_PASSWORD", PASSWORD).run().unwrap();
        outcome.assert_code(2).assert_stderr_has("no complete answer within the time-out");
        assert!(began.elapsed() < Duration::from_secs(5), "{stage:?}");
    }
}

#[test]
fn a_refused_recipient_is_said_and_the_others_get_it_once() {
    let sink = SmtpSink::start().unwrap();
    sink.refuse("ops@example.com", "550 5.1.1 No such user");
    let outcome = test_mail(&sink);
    outcome
        .assert_code(1)
        .assert_stderr_has("mail (email) was told, but not wholly: ops@example.com: 550 5.1.1 No such user");
    assert_eq!(sink.mails()[0].to, ["admin@example.com"]);
    sink.refuse("admin@example.com", "552 5.2.2 Mailbox full");
    test_mail(&sink).assert_code(2).assert_stderr_has("no recipient is accepted: admin@example.com: 552");
    // One whose mailbox is full is named, and neither holds up the others nor gets them the mail at each attempt.
    let full = SmtpSink::start().unwrap();
    full.refuse("ops@example.com", "452 4.2.2 Mailbox full");
    test_mail(&full)
        .assert_code(1)
        .assert_stderr_has("mail (email) was told, but not wholly: ops@example.com: 452 4.2.2 Mailbox full");
    assert_eq!(full.mails().len(), 1);
    // More than one mail may have get another copy at once.
    let many = SmtpSink::start().unwrap();
    many.plan([Some(Fault::answer(Stage::Rcpt, "452 4.5.3 Too many recipients"))]);
    test_mail(&many).assert_code(0);
    let to: Vec<_> = many.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [["ops@example.com"], ["admin@example.com"]]);
    // All are greylisted: all get it later.
    full.refuse("admin@example.com", "450 4.2.0 Greylisted");
    let folder = deployment(&format!("alerts:\n  mail: {}\n", section(&full)));
    let run = || alert(folder.path()).env("SMTP_PASSWORD", PASSWORD);
    run().args(["--delivery-deadline", "2s"]).stdin(trouble()).run().unwrap().assert_stderr_has("450 4.2.0 Greylisted");
    full.accept_all();
    run().args(["flush", "--delivery-deadline", "30s"]).run().unwrap().assert_code(0);
    assert_eq!(full.mails()[1].to, ["admin@example.com", "ops@example.com"]);
}

#[test]
fn a_mail_whose_answer_was_lost_comes_again_under_the_same_id() {
    let sink = SmtpSink::start().unwrap();
    sink.plan([Some(Fault::lost_answer())]);
    let folder = deployment(&format!("alerts:\n  mail: {}\n", section(&sink)));
    let tool = alert(folder.path()).args(["--delivery-deadline", "30s"]).env("SMTP_PASSWORD", PASSWORD);
    tool.stdin(trouble()).run().unwrap().assert_code(2);
    let mails = sink.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(parsed(&mails[0]).message_id(), parsed(&mails[1]).message_id());
}

#[test]
fn a_hostile_message_is_a_mail_like_any_other() {
    let sink = SmtpSink::start().unwrap();
    let folder = deployment(&format!("alerts:\n  mail: {}\n", section(&sink)));
    let message = format!("x\r\nBcc: victim@example.com\r\n.\r\n<b>é🎉\u{202e} {}", "<&🎉".repeat(18_000));
    let tool = alert(folder.path()).env("SMTP_PASSWORD", PASSWORD);
    tool.args(["send", "--severity", "critical", "--message", &message]).run().unwrap().assert_code(0);
    let mails = sink.mails();
    let message = parsed(&mails[0]);
    assert_eq!(mails[0].to, ["admin@example.com", "ops@example.com"]);
    assert!(message.bcc().is_none());
    let text = message.body_text(0).expect("a text");
    assert!(text.contains("🔴 CRITICAL x  Bcc: victim@example.com  .  <b>é🎉· <&🎉"), "{text:.300}");
    assert!(message.body_html(0).expect("HTML").contains("&lt;b&gt;é🎉"));
}

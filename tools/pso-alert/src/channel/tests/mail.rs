//! The mail: its headers and both of its bodies.

use lettre::message::Mailbox;

use super::*;
use crate::channel::email::{bodies, compose};

fn mailbox(text: &str) -> Mailbox {
    text.parse().expect("an address")
}

fn mail(digest: &Digest<'_>) -> String {
    let people = [mailbox("admin@example.com"), mailbox("Ops <ops@example.com>")];
    let bytes = compose(digest, &mailbox("alerts@example.com"), &people).expect("composed");
    String::from_utf8(bytes).expect("ASCII")
}

/// The headers, unfolded.
fn head(digest: &Digest<'_>) -> Vec<String> {
    let mail = mail(digest);
    let (head, _) = mail.split_once("\r\n\r\n").expect("a head");
    head.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
}

fn header(digest: &Digest<'_>, name: &str) -> String {
    let found: Vec<String> =
        head(digest).iter().filter_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned())).collect();
    assert!(found.len() <= 1, "{found:?}");
    found.into_iter().next().unwrap_or_default()
}

#[test]
fn the_head_golden() {
    let notices = usual();
    let mut head = head(&digest(&notices[..1]));
    let boundary = head.pop().expect("a last header");
    assert!(boundary.starts_with("Content-Type: multipart/alternative;"), "{boundary}");
    // The ids are the first 8 bytes of SHA-256 over the key and over the incident with its episode, each after its length.
    let expected = [
        "From: \"pso-alert CRITICAL\" <alerts@example.com>",
        "Subject: web-1: health.check service",
        "Date: Sun, 22 Nov 2026 09:00:00 +0000",
        "Message-ID: <pso-alert.ID@example.com>",
        "To: admin@example.com, Ops <ops@example.com>",
        "References: <pso-alert.ROOT.1@example.com>",
        "In-Reply-To: <pso-alert.ROOT.1@example.com>",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "Importance: high",
        "MIME-Version: 1.0",
    ];
    let hash = |parts: &[&str]| crate::channel::post::fingerprint(parts.iter().copied());
    let (id, root) = (hash(&["k", ""]), hash(&[&notices[0].incident, "1"]));
    let expected = expected.map(|line| line.replace("ID@", &format!("{id}@")).replace("ROOT", &root));
    assert_eq!(head, expected);
}

#[test]
fn the_text_golden() {
    let expected = "🔴 583 notices from web-1, the worst critical, 1 resolved\n\n\
        🔴 CRITICAL System health check failed: service: connection refused\n   since 09:00 UTC\n   Runbook: https://wiki.example.com/run?id=1&step=2\n\n\
        🟠 STILL HIGH High disk usage: 91.2% (limit 85%)\n   since 04:45 UTC, for 4h 15m · 12 times · mount=/var\n\n\
        ✅ RESOLVED Slow sync: 72 s (limit 60 s)\n   08:40 – 08:52 UTC, for 12m 00s · 3 times · host=web-2\n\n\
        and 580 more: 400 of log.errors, 180 of disk_usage\n\n\
        pso-alert on web-1, 2026-11-22T09:00:00.000Z\n";
    let mut notices = usual();
    notices.remove(3);
    let rest = storm();
    assert_eq!(bodies(&Digest { rest: Some(&rest), ..digest(&notices) }).0, expected);
}

/// The fixture is what the README shows, as a browser draws it.
#[test]
fn the_html_golden() {
    let notices = usual();
    let rest = storm();
    let html = bodies(&Digest { rest: Some(&rest), ..digest(&notices) }).1;
    let expected = include_str!("../../../../../tests/fixtures/alert-mail.html");
    assert_eq!(html, expected);
}

#[test]
fn a_conversation_is_an_episode_and_its_subject_stays() {
    let fired = usual().swap_remove(0);
    let over =
        Notice { because: Because::Ended, state: IncidentState::Resolved, ended_at: Some(at()), ..fired.clone() };
    let next = Notice { episode: 2, ..fired.clone() };
    let of =
        |notice: &Notice, name: &str| header(&Digest { key: "other", ..digest(std::slice::from_ref(notice)) }, name);
    assert_eq!(of(&fired, "References"), of(&over, "References"));
    assert_ne!(of(&fired, "References"), of(&next, "References"));
    assert_eq!(of(&fired, "Subject"), of(&over, "Subject"));
    assert_eq!(of(&over, "From"), "\"pso-alert RESOLVED\" <alerts@example.com>");
    assert_eq!(of(&over, "Importance"), "");
    // A second copy has the id of the first, another message another one.
    let id = |key| header(&Digest { key, ..digest(std::slice::from_ref(&fired)) }, "Message-ID");
    assert_eq!(id("a"), id("a"));
    assert_ne!(id("a"), id("b"));
    let many = numbered(50, "m", 1);
    assert_eq!(header(&digest(&many), "References").split(' ').count(), 10);
    assert_eq!(header(&digest(&many), "Subject"), "h: several notices");
    let test = Notice { because: Because::Test, ..fired };
    assert_eq!(
        (of(&test, "References"), of(&test, "Subject")),
        (String::new(), "web-1: a test of pso-alert".to_owned())
    );
}

#[test]
fn no_text_breaks_a_header_a_line_or_the_markup() {
    for message in hostile().into_iter().chain(["x\r\nBcc: victim@example.com\r\n\r\nbody".to_owned()]) {
        let mut by_hand = Notice { because: Because::ByHand, ..notice(Severity::Critical, &message, 1) };
        by_hand.labels = labels(&[("host", &message), ("<b onclick=\"x\">", "'\"&")]);
        by_hand.runbook = Some("https://h/\"onclick=alert(1)".to_owned());
        let notices = [by_hand];
        let digest = Digest { host: &message, ..digest(&notices) };
        let mail = mail(&digest);
        assert!(
            mail.is_ascii() && mail.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0']))
        );
        let names: Vec<String> =
            head(&digest).iter().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect();
        let expected = "From,Subject,Date,Message-ID,To,References,In-Reply-To,Auto-Submitted,X-Auto-Response-Suppress,Importance,MIME-Version,Content-Type";
        assert_eq!(names.join(","), expected, "{message:.50}");
        let (text, html) = bodies(&digest);
        assert!(!text.contains(['\0', '\u{202e}', '\u{1b}']) && !html.contains(['\0', '\u{202e}', '\u{1b}']));
        // Only the elements that we write ourselves.
        for tag in html.split('<').skip(1) {
            let name = tag.trim_start_matches('/').split([' ', '>']).next().unwrap_or_default();
            let own = ["!doctype", "html", "head", "meta", "title", "body", "div", "p", "span"];
            assert!(own.contains(&name), "{name}");
        }
        assert!(!html.contains("onclick=\"") && !html.contains("<a "), "{html:.3000}");
    }
}

#[test]
fn the_largest_mail_is_below_what_servers_take() {
    let notices = numbered(500, &"&\"🎉".repeat(30_000), u64::MAX);
    let mail = mail(&digest(&notices));
    // Servers take 10 MB and more; what people read is far less.
    assert!(mail.len() < 1 << 20, "{}", mail.len());
    assert_eq!(bodies(&digest(&notices)).0.lines().rev().nth(2), Some("and 400 more"));
}

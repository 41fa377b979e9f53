//! What must hold whatever happens: a thousand incidents, told by many short runs of which many are killed, to ends that answer
//! 429 and 500, say nothing, or are cut off.
//!
//! `PSO_CHAOS_SEED` and `PSO_CHAOS_INCIDENTS` set both; the report on stderr says the seed. What the ends are told to do wrong is
//! nothing that they have taken: an answer that is lost on its way back makes a second copy inevitable, and that has a test of its own.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pso_tests::Reply;
use pso_tests::proxy::{Direction, Mode, TcpProxy};
use pso_tests::smtp::{self, Fault, SmtpSink, Stage};
use pso_tests::wait::until;
use pso_tests::webhook::{WebhookSink, too_many};
use serde_json::{Value, json};

use super::{alert, deployment, record};

/// Incidents of one run: a multiple of [`OVER`]. Few, since all of them come twice when a run is killed between the moment at which an
/// end takes a message and the one at which that is written down; on a busy machine that is long.
const BATCH: usize = 5;

/// One run of so many is killed, where it lasts long enough: every few seconds.
const DOOMED: u8 = 8;

/// Of so many incidents one is over before the end.
const OVER: usize = 5;

/// Of so many told one may be told twice, for the runs that were killed. The goal is one in a hundred, and that is kept on a machine
/// that is not starved; how long the moment is in which a kill makes a copy inevitable depends on the machine.
const COPIES: usize = 50;

/// What an end was told of an incident, in the order in which it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Moment {
    Fired,
    Over,
}

/// Incident and moment, each as often as it was told.
type Told = Vec<(usize, Moment)>;

/// How often which fault was played.
#[derive(Default)]
struct Faults([AtomicU64; 5]);

impl Faults {
    const NAMES: [&'static str; 5] = ["429", "500", "time-out", "503", "reset"];

    fn count(&self, fault: usize) {
        self.0[fault].fetch_add(1, Ordering::Relaxed);
    }

    fn shown(&self) -> String {
        let of = |(name, count): (&&str, &AtomicU64)| format!("{} {name}", count.load(Ordering::Relaxed));
        Self::NAMES.iter().zip(&self.0).map(of).collect::<Vec<_>>().join(", ")
    }
}

/// An HTTP end with a proxy before it that cuts connections now and then.
struct HttpEnd {
    name: &'static str,
    sink: WebhookSink,
    proxy: Arc<TcpProxy>,
}

impl HttpEnd {
    fn start(name: &'static str, seed: u64, faults: &Arc<Faults>) -> Self {
        let sink = WebhookSink::start().expect("a sink");
        let proxy = Arc::new(TcpProxy::start(sink.port()).expect("a proxy"));
        let (random, faults) = (Mutex::new(fastrand::Rng::with_seed(seed)), Arc::clone(faults));
        sink.misbehave(move |_, seen| {
            let (fault, reply) = match random.lock().expect("whole").u32(..1000) {
                0..50 => (0, too_many(1)),
                50..100 => (1, Reply::status(500)),
                100..120 => (2, Reply::hang()),
                120..150 => (3, Reply::status(503)),
                // An array, which the sink would not take: the Alertmanager's.
                // Half a message is no message; nobody hears this answer.
                _ if name == "alertmanager" => {
                    return Some(Reply::status(if seen.json().is_some() { 200 } else { 400 }));
                }
                _ => return None,
            };
            faults.count(fault);
            Some(reply)
        });
        Self { name, sink, proxy }
    }

    fn url(&self, direct: &str) -> String {
        direct.replace(&format!(":{}/", self.sink.port()), &format!(":{}/", self.proxy.port()))
    }

    fn told(&self) -> Told {
        self.sink.accepted().iter().flat_map(|seen| self.read(&seen.json().expect("JSON"))).collect()
    }

    /// What one message tells.
    fn read(&self, message: &Value) -> Told {
        match self.name {
            "slack" => each(&message["blocks"], |block| people(&block.to_string())),
            "discord" => each(&message["embeds"], |embed| {
                embed["description"].as_str().unwrap_or_default().lines().flat_map(people).collect()
            }),
            "webhook" => each(&message["notices"], |notice| {
                let over = notice["state"] == "resolved";
                vec![(number(&notice.to_string()), if over { Moment::Over } else { Moment::Fired })]
            }),
            _ => each(message, |alert| {
                // A firing one carries an end that lies ahead: until then the Alertmanager takes it to go on. One that is over
                // says when it began, too.
                let over = alert["endsAt"].as_str().expect("an end") < ahead().as_str();
                moments(&alert.to_string(), over)
            }),
        }
    }
}

fn each(list: &Value, read: impl Fn(&Value) -> Told) -> Told {
    list.as_array().map(|list| list.iter().flat_map(read).collect()).unwrap_or_default()
}

/// Half a minute from now: what ends later has not ended.
fn ahead() -> String {
    stamp(30)
}

fn stamp(seconds: i64) -> String {
    let at = time::OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
    at.format(&time::format_description::well_known::Rfc3339).expect("a time")
}

/// The number in the first `inc-0123`.
fn number(text: &str) -> usize {
    let at = text.find("inc-").unwrap_or_else(|| panic!("no incident in {text}"));
    text[at + 4..at + 8].parse().expect("a number")
}

/// What a line that people read tells. One about the end says when it began, too.
fn people(text: &str) -> Told {
    if !text.contains("inc-") {
        return Vec::new();
    }
    moments(text, text.contains("RESOLVED"))
}

fn moments(text: &str, over: bool) -> Told {
    let moments: &[Moment] = if over { &[Moment::Fired, Moment::Over] } else { &[Moment::Fired] };
    moments.iter().map(|moment| (number(text), *moment)).collect()
}

/// The lines of the text part of a mail that tell an incident.
fn mail(text: &str) -> Told {
    plain_text(text).lines().filter(|line| line.contains("inc-")).flat_map(people).collect()
}

/// The text part of a mail, decoded.
fn plain_text(mail: &str) -> String {
    let part = mail.split_once("Content-Type: text/plain").map(|(_, part)| part).expect("a text part");
    let (head, body) = part.split_once("\r\n\r\n").expect("a body");
    let body = body.split("\r\n--").next().unwrap_or(body);
    let bytes = if head.contains("base64") { base64(body) } else { quoted_printable(body) };
    String::from_utf8_lossy(&bytes).into_owned()
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text.bytes().filter_map(|byte| ALPHABET.iter().position(|known| *known == byte)) {
        (bits, count) = ((bits << 6 | digit as u32) & 0xff_ffff, count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let text = text.replace("=\r\n", "");
    let (mut rest, mut bytes) = (text.as_bytes(), Vec::new());
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).filter(|_| *first == b'=').and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

fn incident(number: usize, severity: &str) -> String {
    let status = if severity == "ok" { "healthy" } else { "unhealthy" };
    let name = format!("inc-{number:04}");
    let text = record("health.check", &name, severity, &json!({"status": status, "elapsed_ms": 1, "message": name}));
    now(&text)
}

fn now(record: &str) -> String {
    record.replace("2026-11-22T09:00:00.000Z", &stamp(0))
}

/// One run's input.
fn input(fired: &[usize], over: &[usize]) -> String {
    let mut text = now(&super::start());
    fired.iter().for_each(|number| text.push_str(&incident(*number, "critical")));
    over.iter().for_each(|number| text.push_str(&incident(*number, "ok")));
    text.push_str(&now(&if fired.is_empty() { super::end("ok", 0) } else { super::end("critical", 2) }));
    text
}

struct Sender<'a> {
    folder: &'a Path,
    random: fastrand::Rng,
    runs: u64,
    kills: u64,
}

impl Sender<'_> {
    /// Feeds one run; with `mortal`, it may be killed. Returns whether it came to its end.
    fn run(&mut self, args: &[&str], text: &str, mortal: bool) -> bool {
        let mut running = alert(self.folder)
            .args(["--delivery-deadline", "400ms"])
            .args(args)
            .env("SMTP_PASSWORD", smtp::PASSWORD)
            .env("PSO_ALERT_ATTEMPT_TIMEOUT", "1s")
            .env("PSO_ALERT_RETRY_MAX", "2s")
            .spawn()
            .expect("started");
        self.runs += 1;
        if let Some(mut stdin) = running.stdin.take() {
            // One that was killed does not read.
            let _ = stdin.write_all(text.as_bytes());
        }
        let doomed = mortal && self.random.u8(..DOOMED) == 0;
        let until_then = Duration::from_millis(self.random.u64(10..500));
        let killed = doomed
            && until("its end", until_then, || running.is_running().map_or(Some(()), |runs| (!runs).then_some(())))
                .is_err()
            && running.signal("KILL").is_ok();
        let outcome = running.finish().expect("ended");
        self.kills += u64::from(killed);
        assert!(killed || outcome.code.is_some_and(|code| code <= 3), "{outcome}");
        assert!(killed || !outcome.stderr.contains("state file"), "{outcome}");
        !killed
    }
}

#[test]
fn a_thousand_incidents_are_told_on_each_channel_whatever_happens() {
    let number_of =
        |name: &str, usual: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (seed, incidents) = (number_of("PSO_CHAOS_SEED", 7), number_of("PSO_CHAOS_INCIDENTS", 1_000) as usize);
    let faults = Arc::new(Faults::default());
    let ends: Vec<HttpEnd> = ["slack", "discord", "webhook", "alertmanager"]
        .iter()
        .zip(1..)
        .map(|(name, number)| HttpEnd::start(name, seed.wrapping_mul(100).wrapping_add(number), &faults))
        .collect();
    let post = SmtpSink::start().expect("a mail server");
    misbehave(&post, seed, &faults);
    let folder = deployment(&format!(
        "alerts:\n  slack: {{enabled: true, webhook_url: '{}'}}\n  discord: {{enabled: true, webhook_url: '{}'}}\n  \
         webhook: {{enabled: true, url: '{}'}}\n  alertmanager: {{enabled: true, url: '{}'}}\n  email: {}\n\
         notices: {{storm: 0}}\n",
        ends[0].url(&ends[0].sink.slack_url()),
        ends[1].url(&ends[1].sink.discord_url()),
        ends[2].url(&ends[2].sink.generic_url()),
        ends[3].proxy.url(),
        post.section(&["ops@example.com"]),
    ));

    let began = Instant::now();
    let over = AtomicBool::new(false);
    let mut sender = Sender { folder: folder.path(), random: fastrand::Rng::with_seed(seed), runs: 0, kills: 0 };
    thread::scope(|scope| {
        let (ends, over, faults) = (&ends, &over, &faults);
        scope.spawn(move || reset(ends, seed, over, faults));
        let all: Vec<usize> = (0..incidents).collect();
        for batch in all.chunks(BATCH) {
            // The end of what fired a while ago.
            let well = batch.iter().filter(|number| *number % OVER == 0);
            let well: Vec<usize> = well.filter_map(|number| number.checked_sub(3 * BATCH)).collect();
            while !sender.run(&[], &input(batch, &well), true) {}
        }
        let last: Vec<usize> = all.iter().copied().filter(|n| n % OVER == 0 && n + 3 * BATCH >= incidents).collect();
        while !sender.run(&[], &input(&[], &last), true) {}
        over.store(true, Ordering::Relaxed);
    });
    ends.iter().for_each(|end| end.proxy.set(Mode::Pass).expect("passes"));
    // The ends go on misbehaving; cron would flush every minute.
    let limit = Instant::now() + Duration::from_secs(180);
    while waiting(folder.path()) > 0 {
        assert!(Instant::now() < limit, "{} notices still wait", waiting(folder.path()));
        sender.run(&["flush"], "", false);
    }
    let elapsed = began.elapsed();

    let mut told: BTreeMap<&str, Told> = ends.iter().map(|end| (end.name, end.told())).collect();
    told.insert("email", post.mails().iter().flat_map(|taken| mail(&taken.text)).collect());
    let mut report = format!(
        "seed {seed}: {incidents} incidents, {} runs, {} killed, {:.0} s; faults: {}\n",
        sender.runs,
        sender.kills,
        elapsed.as_secs_f64(),
        faults.shown()
    );
    let (mut wrong, mut copies, mut all) = (Vec::new(), 0, 0);
    for (name, told) in told {
        let duplicates = judge(name, &told, incidents, &mut wrong);
        report.push_str(&format!("  {name}: {} told, {duplicates} twice\n", told.len()));
        (copies, all) = (copies + duplicates, all + told.len());
    }
    if copies * COPIES >= all {
        wrong.push(format!("{copies} of {all} are duplicates"));
    }
    let _ = writeln!(std::io::stderr(), "{report}");
    assert!(wrong.is_empty(), "{report}{}", wrong[..wrong.len().min(20)].join("\n"));
    assert!(sender.kills >= 10 || incidents < 1_000, "{report}");
}

/// Every moment told, none before the one that goes before it. Returns how many were told more often than once.
fn judge(name: &str, told: &Told, incidents: usize, wrong: &mut Vec<String>) -> usize {
    let mut first: HashMap<(usize, Moment), usize> = HashMap::new();
    let mut duplicates = 0;
    for (place, what) in told.iter().enumerate() {
        if first.contains_key(what) {
            // A line that tells the end says when it began, too; that is no second copy of the beginning.
            let pair = what.1 == Moment::Fired && told.get(place + 1) == Some(&(what.0, Moment::Over));
            duplicates += usize::from(!pair);
        } else {
            first.insert(*what, place);
        }
    }
    for number in 0..incidents {
        let fired = first.get(&(number, Moment::Fired));
        let over = first.get(&(number, Moment::Over));
        match (fired, over) {
            (None, _) => wrong.push(format!("{name}: inc-{number:04} was never told")),
            (Some(_), None) if number % OVER == 0 => {
                wrong.push(format!("{name}: the end of inc-{number:04} was never told"));
            }
            (Some(fired), Some(over)) if over < fired => {
                wrong.push(format!("{name}: inc-{number:04} ended before it began"));
            }
            (_, Some(_)) if number % OVER != 0 => {
                wrong.push(format!("{name}: inc-{number:04} never ended, and that was told"));
            }
            _ => {}
        }
    }
    duplicates
}

/// Notices that wait, over all channels.
fn waiting(folder: &Path) -> u64 {
    let outcome = alert(folder).arg("status").env("SMTP_PASSWORD", smtp::PASSWORD).run().expect("ran");
    let records = outcome.records_of_kind("alert.channel");
    assert_eq!(records.len(), 5, "{outcome}");
    records.iter().map(|record| record["waiting"].as_u64().expect("a number")).sum()
}

/// Cuts the connections of a random end every now and then, before what they carry has been taken.
fn reset(ends: &[HttpEnd], seed: u64, over: &AtomicBool, faults: &Faults) {
    let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let pause = |span: Duration| {
        let _ = until("the end", span, || over.load(Ordering::Relaxed).then_some(()));
    };
    while !over.load(Ordering::Relaxed) {
        pause(Duration::from_millis(random.u64(200..1_500)));
        let end = &ends[random.usize(..ends.len())];
        let cut = Mode::CutAfter { direction: Direction::ToServer, bytes: random.u64(1..150) };
        let before = end.proxy.connections();
        end.proxy.set(if random.bool() { Mode::Drop } else { cut }).expect("cuts");
        pause(Duration::from_millis(random.u64(50..400)));
        end.proxy.set(Mode::Pass).expect("passes");
        (before..end.proxy.connections()).for_each(|_| faults.count(4));
    }
}

fn misbehave(post: &SmtpSink, seed: u64, faults: &Arc<Faults>) {
    let (random, faults) = (Mutex::new(fastrand::Rng::with_seed(seed ^ 0xe_a11)), Arc::clone(faults));
    post.misbehave(move |_| {
        let (kind, fault) = match random.lock().expect("whole").u32(..1000) {
            0..40 => (0, Fault::answer(Stage::Rcpt, "450 4.2.0 greylisted")),
            40..70 => (3, Fault::answer(Stage::Mail, "421 4.3.2 shutting down")),
            70..90 => (2, Fault::silence(Stage::Greeting)),
            90..120 => (4, Fault::drop(Stage::Text)),
            120..140 => (1, Fault::answer(Stage::End, "451 4.3.0 try again")),
            _ => return None,
        };
        faults.count(kind);
        Some(fault)
    });
}

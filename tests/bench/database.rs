//! A generated planning database, by COPY: text that `zip -6` packs about 2.8 : 1, as it does real plans. Not pgbench's
//! blanks, which pack 20 : 1 and would show any compressor in a good light.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use fastrand::Rng;
use postgres::Client;
use pso_tests::qdrant::QdrantClient;

/// Words that the texts are made of; the nth is about n times rarer than the first (Zipf's law).
const WORDS: usize = 12_000;
/// Phrases of five words, which a plan repeats; drawn by the same law, one draw in twelve or so.
const PHRASES: usize = 2_000;
/// The first phrase, behind the words.
const FIRST_PHRASE: u16 = 12_000;
/// Of a hundred draws.
const PHRASE_DRAWS: usize = 8;
/// Draws of a word: the table that makes one as cheap as an index.
const DRAWS: usize = 1 << 16;
/// Bytes handed to COPY at once.
const PIECE: usize = 1 << 20;
/// Points of one request.
const BATCH: usize = 1_000;
const DIMENSIONS: usize = 384;

/// What was made.
pub(crate) struct Made {
    /// Bytes of COPY text over all tables.
    pub(crate) text: u64,
    /// Rows over all tables.
    pub(crate) rows: u64,
}

/// Fills an empty database with about `bytes` of COPY text: 85 % of it tasks.
pub(crate) fn fill(client: &mut Client, bytes: u64) -> Result<Made> {
    let mut text = Text::new();
    client.batch_execute(include_str!("database.sql")).context("create the tables")?;
    let plans: Vec<String> = (0..2_000).map(|_| text.uuid()).collect();
    let mut made = Made { text: 0, rows: 0 };
    let mut done = |(bytes, rows): (u64, u64)| {
        made.text += bytes;
        made.rows += rows;
        rows
    };
    let mut ids = plans.iter();
    done(copy(client, "plans", u64::MAX, |out, _| {
        let Some(id) = ids.next() else { return false };
        out.extend_from_slice(id.as_bytes());
        out.push(b'\t');
        text.words(out, 8);
        out.extend_from_slice(b"\tactive\t");
        text.json(out);
        out.push(b'\t');
        text.stamp(out);
        true
    })?);
    let plan = |text: &mut Text| plans[text.random.usize(..plans.len())].clone();
    let tasks = done(copy(client, "tasks", bytes * 85 / 100, |out, id| {
        const STATUS: [&str; 5] = ["pending", "in_progress", "blocked", "completed", "completed"];
        let (key, plan, status) = (text.uuid(), plan(&mut text), STATUS[text.random.usize(..5)]);
        // Writing to a vector cannot fail.
        let _ = write!(out, "{id}\t{key}\t{plan}\t{status}\t");
        text.stamp(out);
        out.push(b'\t');
        let words = 20 + text.random.usize(..160);
        text.words(out, words);
        true
    })?);
    done(copy(client, "sync_events", bytes * 12 / 100, |out, id| {
        let _ = write!(out, "{id}\t{}\t", plan(&mut text));
        text.stamp(out);
        out.extend_from_slice(if id % 7 == 0 { b"\tdynamic_to_markdown\t" } else { b"\tmarkdown_to_dynamic\t" });
        text.json(out);
        true
    })?);
    done(copy(client, "task_links", bytes * 3 / 100, |out, id| {
        let _ = write!(out, "{}\t{}\tblocks", id % tasks + 1, text.random.u64(1..=tasks));
        true
    })?);
    client.batch_execute(include_str!("indexes.sql")).context("create the indexes")?;
    client.batch_execute("VACUUM ANALYZE").context("gather statistics")?;
    Ok(made)
}

/// Copies rows until there are `bytes` of them or `row` has no more; gives bytes and rows.
fn copy(
    client: &mut Client,
    table: &str,
    bytes: u64,
    mut row: impl FnMut(&mut Vec<u8>, u64) -> bool,
) -> Result<(u64, u64)> {
    let filling = || format!("fill {table}");
    let mut writer = client.copy_in(&format!("COPY {table} FROM STDIN")).with_context(filling)?;
    let (mut piece, mut written, mut rows) = (Vec::with_capacity(PIECE + (64 << 10)), 0, 0);
    while written + (piece.len() as u64) < bytes && row(&mut piece, rows + 1) {
        piece.push(b'\n');
        rows += 1;
        if piece.len() >= PIECE {
            writer.write_all(&piece).with_context(filling)?;
            written += piece.len() as u64;
            piece.clear();
        }
    }
    writer.write_all(&piece).with_context(filling)?;
    writer.finish().with_context(filling)?;
    Ok((written + piece.len() as u64, rows))
}

/// Words, drawn as often as a language has them.
struct Text {
    random: Rng,
    words: Vec<Vec<u8>>,
    draws: Vec<u16>,
}

impl Text {
    fn new() -> Self {
        const LETTERS: &[u8; 22] = b"etaoinshrdlucmfwypvbgk";
        let mut random = Rng::with_seed(7);
        let letter = |random: &mut Rng| {
            let at = random.f64() * random.f64() * 22.0;
            LETTERS[whole(at).min(21)]
        };
        let words: Vec<Vec<u8>> = (0..WORDS)
            .map(|_| {
                let length = 2 + random.usize(..9);
                let mut word: Vec<u8> = (0..length).map(|_| letter(&mut random)).collect();
                word.push(b' ');
                word
            })
            .collect();
        let draws = (0..DRAWS).map(|at| zipf(WORDS, at)).collect();
        let mut text = Self { random, words, draws };
        let phrases: Vec<Vec<u8>> = (0..PHRASES)
            .map(|_| {
                let mut phrase = Vec::new();
                text.words(&mut phrase, 5);
                phrase
            })
            .collect();
        text.words.extend(phrases);
        for at in (0..DRAWS).filter(|at| at % 100 < PHRASE_DRAWS) {
            text.draws[at] = FIRST_PHRASE + zipf(PHRASES, text.random.usize(..DRAWS));
        }
        text
    }

    fn words(&mut self, out: &mut Vec<u8>, count: usize) {
        let mut bits = 0_u64;
        for at in 0..count {
            if at % 4 == 0 {
                bits = self.random.u64(..);
            }
            let draw = usize::try_from(bits & 0xffff).unwrap_or_default();
            bits >>= 16;
            out.extend_from_slice(&self.words[usize::from(self.draws[draw])]);
        }
    }

    fn json(&mut self, out: &mut Vec<u8>) {
        let (first, second, third) = (self.random.u16(..), self.random.u16(..1_000), self.random.u8(..100));
        let _ = write!(
            out,
            "{{\"job_id\": \"sync-job-{first}\", \"duration_ms\": {second}, \"progress\": {third}, \"note\": \""
        );
        let count = 6 + self.random.usize(..30);
        self.words(out, count);
        out.extend_from_slice(b"\"}");
    }

    fn stamp(&mut self, out: &mut Vec<u8>) {
        let (random, micros) = (&mut self.random, 1_000_000);
        let (day, hour, minute, second) = (random.u8(1..29), random.u8(..24), random.u8(..60), random.u8(..60));
        let (month, micro) = (random.u8(1..12), random.u32(..micros));
        let _ = write!(out, "2026-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micro:06}+00");
    }

    fn uuid(&mut self) -> String {
        let bits = (self.random.u128(..) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

/// The word or phrase of a draw.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn zipf(count: usize, draw: usize) -> u16 {
    let at = whole((count as f64).powf(draw as f64 / DRAWS as f64) - 1.0).min(count - 1);
    u16::try_from(at).unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
fn whole(number: f64) -> usize {
    number as usize
}

/// A collection `plans` of so many points.
pub(crate) fn fill_points(client: &QdrantClient, count: usize) -> Result<()> {
    client.create_collection("plans", DIMENSIONS)?;
    let mut random = Rng::with_seed(11);
    // Written by hand: a tree of 38 million JSON numbers would take longer than the store does.
    let numbers: Vec<String> = (0..4096).map(|_| format!("{:.4}", random.f64() * 2.0 - 1.0)).collect();
    for first in (0..count).step_by(BATCH) {
        let mut body = String::with_capacity(BATCH * DIMENSIONS * 8);
        body.push_str("{\"points\":[");
        for id in first..count.min(first + BATCH) {
            body.push_str(if id > first { ",{\"id\":" } else { "{\"id\":" });
            body.push_str(&id.to_string());
            body.push_str(",\"vector\":[");
            for at in 0..DIMENSIONS {
                if at > 0 {
                    body.push(',');
                }
                body.push_str(&numbers[random.usize(..numbers.len())]);
            }
            body.push_str("],\"payload\":{\"section\":\"Phase ");
            body.push_str(&(id % 40).to_string());
            body.push_str("\"}}");
        }
        body.push_str("]}");
        client.put_text("/collections/plans/points?wait=true", &body)?;
    }
    Ok(())
}

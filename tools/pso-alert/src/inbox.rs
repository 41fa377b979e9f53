//! What the main thread waits for, in one queue: lines of the input, and what came of deliveries.
//!
//! The input is read in a thread of its own, because a read cannot be given up when it is time to do something else.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use pso_common::reader::{Line, RecordReader};

use crate::delivery::News;

/// Bytes of lines that wait at most; then the input waits.
const MAX_BYTES: usize = 1 << 20;

/// Lines that are handed over at once.
const CHUNK: usize = 256;

/// One thing that has happened.
#[derive(Debug)]
pub(crate) enum Item {
    /// A line of the input.
    Line(Line),
    /// The input is over.
    End(io::Result<()>),
    /// A channel was tried, or an incident of a channel has changed.
    News(News),
    /// All channels are done.
    Delivered,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Bytes of the lines among them.
    bytes: usize,
}

/// The queue; clones are the same queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inbox(Arc<(Mutex<Queue>, Condvar, Condvar)>);

impl Inbox {
    /// Adds something that is no line; it never waits.
    pub(crate) fn push(&self, item: Item) {
        self.lock().items.push_back(item);
        self.0.1.notify_one();
    }

    /// Reads `input` to its end in a thread of its own.
    pub(crate) fn read(&self, input: impl Read + Send + 'static) {
        let inbox = self.clone();
        thread::spawn(move || {
            let mut reader = RecordReader::new(input);
            let mut lines = Vec::new();
            let end = loop {
                match reader.next_line() {
                    Ok(Some(line)) => lines.push(line),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
                if lines.len() >= CHUNK || !reader.is_ready() {
                    inbox.push_lines(&mut lines);
                }
            };
            inbox.push_lines(&mut lines);
            inbox.push(Item::End(end));
        });
    }

    fn push_lines(&self, lines: &mut Vec<Line>) {
        let bytes = lines.iter().map(size).sum::<usize>();
        let mut queue = self.lock();
        while queue.bytes > MAX_BYTES {
            queue = self.0.2.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.bytes += bytes;
        queue.items.extend(lines.drain(..).map(Item::Line));
        drop(queue);
        self.0.1.notify_one();
    }

    /// Everything that has come, in its order; waits for the first of it, `timeout` at most.
    pub(crate) fn take(&self, timeout: Duration) -> VecDeque<Item> {
        let queue = self.lock();
        let waited = self.0.1.wait_timeout_while(queue, timeout, |queue| queue.items.is_empty());
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.bytes = 0;
        let items = std::mem::take(&mut queue.items);
        drop(queue);
        self.0.2.notify_all();
        items
    }

    /// A queue is whole after each change, so a panic elsewhere does no harm.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(line: &Line) -> usize {
    match line {
        Line::Record(record) => record.line.len(),
        Line::Malformed(malformed) => malformed.reason.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_come_in_their_order_and_memory_is_bounded() {
        let line = |n: usize| {
            format!(
                "{{\"schema\":1,\"kind\":\"x.y\",\"at\":\"2026-11-22T09:00:00Z\",\"tool\":\"t\",\"host\":\"h\",\"severity\":\"ok\",\"name\":\"{n}\",\"message\":\"{}\"}}\n",
                "m".repeat(1_000)
            )
        };
        let text: String = (0..20_000).map(line).collect();
        let inbox = Inbox::default();
        inbox.read(io::Cursor::new(text));
        let (mut next, mut ended) = (0, false);
        while !ended {
            let mut bytes = 0;
            for item in inbox.take(Duration::from_secs(10)) {
                match item {
                    Item::Line(line) => {
                        bytes += size(&line);
                        let Line::Record(record) = line else { panic!("{line:?}") };
                        assert_eq!(record.header.name, next.to_string());
                        next += 1;
                    }
                    Item::End(end) => ended = end.is_ok(),
                    other => panic!("{other:?}"),
                }
            }
            // One more chunk is let in after the limit was not reached.
            assert!(bytes <= MAX_BYTES + CHUNK * 1_200, "{bytes}");
        }
        assert_eq!(next, 20_000);
        assert!(inbox.take(Duration::ZERO).is_empty());
    }
}

//! Which of the snapshots on a server is the one that was asked for, where the answer was lost.

use std::time::Duration;

use super::Snapshot;
use crate::Timestamp;

/// How far the server's clock may be behind ours, and how long it may take until it begins.
const BEHIND: Duration = Duration::from_secs(5);
const BEGINS: Duration = Duration::from_secs(60);

/// The snapshot that was asked for at `at`, when those named in `before` were there: the only one that came since and was
/// begun then. Where others may have made one in that minute, none is taken for ours.
#[must_use]
pub fn requested_snapshot<'a>(listed: &'a [Snapshot], at: Timestamp, before: &[String]) -> Option<&'a str> {
    let mut found = listed.iter().map(|snapshot| snapshot.name.as_str()).filter(|name| {
        !before.iter().any(|other| other == name)
            && begun(name).is_some_and(|begun| begun.until(at) <= BEHIND && at.until(begun) <= BEGINS)
    });
    found.next().filter(|_| found.next().is_none())
}

/// Qdrant's names end in the moment at which the snapshot was begun: `plans-82374682-2026-11-22-09-00-00.snapshot`.
fn begun(name: &str) -> Option<Timestamp> {
    let stem = name.strip_suffix(".snapshot")?;
    let stamp = stem.get(stem.len().checked_sub(19)?..)?;
    format!("{}T{}Z", stamp.get(..10)?, stamp.get(11..)?.replace('-', ":")).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(name: &str) -> Snapshot {
        Snapshot { name: name.to_owned(), size: 1, checksum: None }
    }

    #[test]
    fn only_what_was_begun_then_is_requested_snapshot() {
        let at: Timestamp = "2026-11-22T09:00:00Z".parse().expect("a time");
        let then = snapshot("plans-1-2026-11-22-09-00-01.snapshot");
        let earlier = snapshot("plans-1-2026-11-22-08-00-00.snapshot");
        let later = snapshot("plans-1-2026-11-22-10-00-00.snapshot");
        let uploaded = snapshot("pso-restore-20261122_090000.snapshot");
        let all = [earlier, then.clone(), later, uploaded, snapshot("é.snapshot")];
        assert_eq!(requested_snapshot(&all, at, &[]), Some(then.name.as_str()));
        assert_eq!(requested_snapshot(&all, at, std::slice::from_ref(&then.name)), None, "it was there before");
        let two = [then, snapshot("plans-1-2026-11-22-09-00-30.snapshot")];
        assert_eq!(requested_snapshot(&two, at, &[]), None, "one of them is somebody else's");
    }

    #[test]
    fn it_appears_and_another_one_hides_it() {
        let at: Timestamp = "2026-11-22T09:00:00Z".parse().expect("a time");
        let mut before = Vec::new();
        let then = snapshot("plans-1-2026-11-22-09-00-01.snapshot");
        let others = ["plans-1-2026-11-22-08-00-00.snapshot", "pso-restore-20261122_090000.snapshot", "é.snapshot"];
        let mut all: Vec<Snapshot> = others.map(snapshot).into();
        assert_eq!(requested_snapshot(&all, at, &before), None);
        all.push(then.clone());
        assert_eq!(requested_snapshot(&all, at, &before), Some(then.name.as_str()));
        before.push(then.name);
        assert_eq!(requested_snapshot(&all, at, &before), None, "it was there before");
        all.push(snapshot("plans-1-2026-11-22-09-00-20.snapshot"));
        all.push(snapshot("plans-1-2026-11-22-09-00-30.snapshot"));
        assert_eq!(requested_snapshot(&all, at, &before), None, "one of them is somebody else's");
    }
}

//! What the two processes say to each other: the work as one line of JSON, and what was found as lines of JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The work of one child: one collection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Work {
    /// The snapshot, in the child's folder. The child removes it once it is unpacked.
    pub(super) snapshot: PathBuf,
    /// The collection's configuration as the manifest has it; absent in archives without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) config: Option<serde_json::Value>,
    /// The fewest and the most points that the manifest allows; absent where nobody counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) points: Option<(u64, u64)>,
    /// How many bytes of memory of its own the child may take.
    pub(super) memory: u64,
}

/// What a child says, one a line. Every line is a sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Said {
    /// What it does next: what it died of, if nothing follows. A clause such as "opening shard 0".
    Does(String),
    /// So many points have been read.
    Read(u64),
    /// Every shard is open.
    Restored {
        /// Milliseconds from the snapshot as a file.
        ms: u64,
        /// Bytes on the disk.
        bytes: u64,
    },
    /// So many different points are in it.
    Counted(u64),
    /// It was tried and holds.
    Proved(String),
    /// It was not, or cannot be, tried, and that is no fault.
    Left(String),
    /// It can be restored, and somebody should look at it all the same.
    Odd(String),
    /// It could not be tried, and without it nobody can tell.
    Unclear(String),
    /// The snapshot as a file is broken, whatever version of the engine opens it.
    Broken(String),
    /// The engine opens or reads it, and what comes does not hold.
    Refuted(String),
    /// It has said everything.
    Done,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_the_other_side_reads() {
        let line = serde_json::to_string(&Said::Restored { ms: 12, bytes: 4096 }).expect("JSON");
        assert_eq!(line, r#"{"restored":{"ms":12,"bytes":4096}}"#);
        let said: Said = serde_json::from_str(r#"{"does":"opening shard 0"}"#).expect("a message");
        assert_eq!(said, Said::Does("opening shard 0".to_owned()));
        let work: Work =
            serde_json::from_str(r#"{"snapshot":"snapshot.tar","points":[5,7],"memory":1}"#).expect("work");
        assert_eq!((work.points, work.config), (Some((5, 7)), None));
    }
}

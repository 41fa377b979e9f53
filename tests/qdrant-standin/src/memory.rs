//! A ceiling on memory.
//!
//! The engine believes what a segment's files say. One flipped bit in a snapshot that was uploaded without its checksum
//! made it reserve memory for four thousand million points, 21 GB before it was killed, on a machine that others share.

use std::io::Write as _;
use std::time::Duration;

/// Many times what 20,000 points of 384 floats take.
const CEILING_BYTES: u64 = 2 << 30;

const INTERVAL: Duration = Duration::from_millis(250);

/// Watches this process from a thread, and ends it with a message when it takes more than it may. Does nothing where
/// there is no `/proc`.
pub(crate) fn watch() {
    std::thread::spawn(|| {
        while let Some(bytes) = anonymous_bytes() {
            if bytes > CEILING_BYTES {
                // A closed stderr leaves nobody to tell.
                let _ = writeln!(
                    std::io::stderr(),
                    "qdrant-standin: the engine took {} MiB of memory: a damaged snapshot, uploaded without `checksum=`?",
                    bytes >> 20
                );
                std::process::abort();
            }
            std::thread::sleep(INTERVAL);
        }
    });
}

/// Memory that is not the content of a file; mapped files do not count, the kernel can drop those.
fn anonymous_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_tells_how_much_memory_there_is() {
        let bytes = super::anonymous_bytes().expect("a line in /proc/self/status");
        assert!((1 << 16..super::CEILING_BYTES).contains(&bytes), "{bytes}");
    }
}

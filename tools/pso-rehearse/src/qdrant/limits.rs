//! What the process of the engine may take.
//!
//! The engine believes what a segment's files say: one flipped bit made it reserve memory for four thousand million
//! points. A limit that the kernel holds ends that before the memory is touched, where a watch would come too late.

/// Holds the memory that is this process's own to so many bytes; mapped files do not count. No core is written.
///
/// # Errors
/// When the system refuses.
#[cfg(unix)]
pub(super) fn limit_memory(bytes: u64) -> std::io::Result<()> {
    use rustix::process::Resource;

    // What a snapshot holds is nobody's business, and a core of it is large.
    lower(Resource::Core, 0)?;
    lower(Resource::Data, bytes)
}

/// Holds the files that are written from now on to so many bytes each.
///
/// # Errors
/// When the system refuses.
#[cfg(unix)]
pub(super) fn limit_files(bytes: u64) -> std::io::Result<()> {
    lower(rustix::process::Resource::Fsize, bytes)
}

#[cfg(unix)]
fn lower(resource: rustix::process::Resource, bytes: u64) -> std::io::Result<()> {
    use rustix::process::{Rlimit, getrlimit, setrlimit};

    let now = getrlimit(resource);
    let lowest = [Some(bytes), now.current, now.maximum].into_iter().flatten().min();
    Ok(setrlimit(resource, Rlimit { current: lowest, maximum: lowest })?)
}

/// How much memory of its own this process was allowed (`ulimit -v`, `-d`, `LimitAS=`, `LimitDATA=`), in bytes; `None` where
/// nobody has limited it. A child has the same.
#[cfg(unix)]
pub(super) fn allowed_memory() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};

    [Resource::As, Resource::Data].into_iter().filter_map(|resource| getrlimit(resource).current).min()
}

/// Whether somebody has limited how long the files of this process may be.
#[cfg(unix)]
pub(super) fn are_files_limited() -> bool {
    rustix::process::getrlimit(rustix::process::Resource::Fsize).current.is_some()
}

/// Not there.
#[cfg(not(unix))]
pub(super) fn allowed_memory() -> Option<u64> {
    None
}

/// Not there.
#[cfg(not(unix))]
pub(super) fn are_files_limited() -> bool {
    false
}

/// Windows limits processes through jobs, which takes a process of their own to set up: nothing is limited there.
#[cfg(not(unix))]
pub(super) fn limit_memory(_bytes: u64) -> std::io::Result<()> {
    Ok(())
}

/// As above.
#[cfg(not(unix))]
pub(super) fn limit_files(_bytes: u64) -> std::io::Result<()> {
    Ok(())
}

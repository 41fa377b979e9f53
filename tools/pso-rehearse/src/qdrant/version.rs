//! Whether the engine here is of the version that made a snapshot.

/// The version of Qdrant that the engine is of: `QDRANT_VERSION_STRING` in `common/defaults.rs` of qdrant-edge 0.7.2 says
/// `1.18.2-dev`, and is not public. A snapshot is for servers of its own minor version
/// (<https://qdrant.tech/documentation/concepts/snapshots/>).
const ENGINE: (u64, u64) = (1, 18);

/// The engine's version and the server's.
#[derive(Clone, Debug)]
pub(super) struct Versions {
    server: Option<String>,
    is_same: bool,
}

impl Versions {
    /// With the version that the server said it was.
    pub(super) fn of(server: Option<&str>) -> Self {
        Self { server: server.map(str::to_owned), is_same: server.and_then(minor) == Some(ENGINE) }
    }

    /// Whether what the engine says counts for a server of that version.
    pub(super) const fn is_same(&self) -> bool {
        self.is_same
    }

    /// What is to be said of all that the engine finds; `None` where there is nothing to say.
    pub(super) fn sentence(&self) -> Option<String> {
        (!self.is_same).then(|| {
            let (major, minor) = ENGINE;
            let server = self
                .server
                .as_ref()
                .map_or_else(|| "of a version that nobody noted".to_owned(), |server| format!("of Qdrant {server}"));
            format!("the snapshots are {server}, and the engine here is of {major}.{minor}")
        })
    }

    /// Where it can be told.
    pub(super) fn way_out(&self) -> String {
        let server =
            self.server.as_ref().map_or_else(|| "that version".to_owned(), |server| format!("Qdrant {server}"));
        format!("restore it into a scratch server of {server} to tell (pso-restore --only qdrant)")
    }
}

/// Major and minor version.
fn minor(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.trim().trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_decides() {
        assert!(Versions::of(Some("1.18.2")).is_same());
        assert!(Versions::of(Some("v1.18.0-dev")).is_same());
        assert!(!Versions::of(Some("1.17.9")).is_same());
        assert!(!Versions::of(Some("2.18.0")).is_same());
        assert!(!Versions::of(None).is_same());
        assert_eq!(
            Versions::of(Some("1.17.3")).sentence().as_deref(),
            Some("the snapshots are of Qdrant 1.17.3, and the engine here is of 1.18")
        );
        assert_eq!(Versions::of(Some("1.18.2")).sentence(), None);
    }
}

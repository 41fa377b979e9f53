//! Notices as records, for programs.

use pso_common::record::{AlertNoticeRecord, Header, Kind as _, Record, SCHEMA, Telling};

use super::Digest;

/// One `alert.notice` a line, as stdout has them. Notices without a line, which only channels for people have, are none here.
pub(super) fn lines(digest: &Digest<'_>) -> serde_json::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for notice in digest.notices {
        let header = Header {
            schema: SCHEMA,
            kind: AlertNoticeRecord::KIND.to_owned(),
            at: digest.at,
            tool: crate::TOOL.name.to_owned(),
            host: digest.host.to_owned(),
            severity: notice.severity,
            name: notice.rule.clone(),
            message: notice.message.clone(),
        };
        serde_json::to_writer(&mut lines, &Record { header, body: notice.record(Telling::Now) })?;
        lines.push(b'\n');
    }
    Ok(lines)
}

//! `qdrant.cluster`: whether the nodes agree and reach each other. Without cluster mode there is nothing to say.

use std::time::Instant;

use pso_common::Severity;
use pso_common::io::elapsed_ms;
use pso_common::qdrant::{ClusterInfo, QdrantClient, QdrantError};
use pso_common::record::{HealthCheckRecord, Labels};

use crate::answer::shown_url;
use crate::finding::{Finding, Findings, shown};

const NAME: &str = "qdrant.cluster";

/// More nodes than this are counted only.
const MOST_NAMED: usize = 5;

pub(super) fn look(client: &QdrantClient, findings: &Findings<'_>) {
    let started = Instant::now();
    match client.cluster() {
        Ok(cluster) if cluster.status == "enabled" => findings.push(judge(&cluster, elapsed_ms(started))),
        Ok(_) => {}
        // A key for the collections alone is no failure of the server.
        Err(QdrantError::Status(401 | 403, _)) => {
            let record = HealthCheckRecord { elapsed_ms: elapsed_ms(started), ..HealthCheckRecord::default() };
            let message =
                "the key may not ask for the cluster (it needs read access to all): its nodes are not looked at";
            findings.push(Finding::check(Severity::Info, NAME, message, record));
        }
        // A version that has no clusters.
        Err(error) if error.is_not_found() => {}
        Err(error) => findings.push(super::failure(NAME, "", &error, elapsed_ms(started), Labels::new())),
    }
}

fn judge(cluster: &ClusterInfo, elapsed_ms: u64) -> Finding {
    let mut worst = Severity::Ok;
    let mut problems = Vec::new();
    let mut problem = |severity: Severity, what: String| {
        worst = worst.max(severity);
        problems.push(what);
    };
    match &cluster.consensus_thread_status {
        Some(thread) if thread.status == "working" => {}
        Some(thread) => {
            let why = thread.err.as_deref().map_or_else(String::new, |error| format!(" ({})", shown(error)));
            let what = format!("this node no longer takes part in agreeing: {}{why}", shown(&thread.status));
            problem(Severity::Critical, what);
        }
        None => problem(Severity::Warning, "it does not say whether this node takes part in agreeing".to_owned()),
    }
    let raft = cluster.raft_info.as_ref();
    if raft.is_some_and(|raft| raft.leader.is_none()) {
        problem(Severity::Critical, "no node leads: nothing can be changed".to_owned());
    }
    let unreached: Vec<String> = cluster
        .message_send_failures
        .iter()
        .map(|(address, failures)| {
            let why = failures.latest_error.as_deref().map_or_else(String::new, |error| format!(": {}", shown(error)));
            format!("{} ({} times{why})", shown(&shown_url(address)), failures.count)
        })
        .collect();
    if !unreached.is_empty() {
        let named = unreached.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        problem(Severity::High, format!("messages do not arrive at {} of its nodes: {named}", unreached.len()));
    }
    let pending = raft.map_or(0, |raft| raft.pending_operations);
    let waiting = if pending > 0 { format!(", {pending} operations wait to be applied") } else { String::new() };
    let mut message = format!("{} nodes{waiting}", cluster.peers.len());
    for what in problems {
        message = format!("{message}; {what}");
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of nodes")]
    let nodes = cluster.peers.len() as f64;
    let record = HealthCheckRecord {
        value: Some(nodes),
        unit: Some("count".to_owned()),
        status: cluster.consensus_thread_status.as_ref().map(|thread| shown(&thread.status)),
        elapsed_ms,
        ..HealthCheckRecord::default()
    };
    Finding::check(worst, NAME, message, record)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// As the API's reference has it.
    fn cluster() -> Value {
        json!({
            "status": "enabled",
            "peer_id": 1_002,
            "peers": {"1001": {"uri": "http://a:6335/"}, "1002": {"uri": "http://b:6335/"}},
            "raft_info": {"term": 3, "commit": 57, "pending_operations": 0, "leader": 1001, "role": "Follower", "is_voter": true},
            "consensus_thread_status": {"consensus_thread_status": "working", "last_update": "2026-11-22T09:00:00Z"},
            "message_send_failures": {},
        })
    }

    fn told(change: impl FnOnce(&mut Value)) -> (Severity, String) {
        let mut value = cluster();
        change(&mut value);
        let finding = judge(&serde_json::from_value(value).expect("a cluster"), 1);
        (finding.severity, finding.message)
    }

    #[test]
    fn what_keeps_the_nodes_from_agreeing_is_named() {
        assert_eq!(told(|_| {}), (Severity::Ok, "2 nodes".to_owned()));
        let (severity, message) = told(|value| value["raft_info"]["leader"] = Value::Null);
        assert!(severity == Severity::Critical && message.contains("no node leads"), "{message}");
        let (severity, message) = told(|value| {
            value["consensus_thread_status"] =
                json!({"consensus_thread_status": "stopped_with_err", "err": "no space\nleft"});
            value["raft_info"]["pending_operations"] = json!(7);
        });
        let expected = "2 nodes, 7 operations wait to be applied; this node no longer takes part in agreeing: \
                        stopped_with_err (no space left)";
        assert_eq!((severity, message.as_str()), (Severity::Critical, expected));
        let (severity, message) = told(|value| {
            let failures =
                json!({"count": 40, "latest_error": "Unavailable", "latest_error_timestamp": "2026-11-22T09:00:00Z"});
            value["message_send_failures"] = json!({"http://a:6335/": failures});
        });
        let expected = "2 nodes; messages do not arrive at 1 of its nodes: http://a:6335/ (40 times: Unavailable)";
        assert_eq!((severity, message.as_str()), (Severity::High, expected));
    }

    #[test]
    fn a_single_node_says_no_more_than_that() {
        let disabled: ClusterInfo = serde_json::from_value(json!({"status": "disabled"})).expect("a cluster");
        assert_eq!(disabled.status, "disabled");
    }
}

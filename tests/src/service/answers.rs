//! The bytes that planning-sync-server sends.

use serde_json::{Map, Value, json};

use super::{Health, Metrics, State};
use crate::http_end::{Reply, Seen};

const HTML: &str = "text/html; charset=utf-8";

pub(super) fn answer(seen: &Seen, state: &State) -> Reply {
    let path = seen.path.split('?').next().unwrap_or_default();
    let known = match path {
        "/health" | "/api/v1/health" => Some(health(state)),
        "/metrics" | "/api/v1/metrics" => Some(metrics(state)),
        "/api/v1/auth/validate" => Some(token(seen, state)),
        "/api/v1/conflicts/active" => Some(conflicts(state)),
        "/monitoring" => Some(Reply::new(200, HTML, page("Planning Ecosystem Sync – Supervision 📊"))),
        _ => None,
    };
    match known {
        Some(_) if seen.method != "GET" => Reply::json(405, &json!({"error": "Method Not Allowed"})),
        Some(reply) => Reply { after: reply.after.map(|after| after + state.delay), ..reply },
        None => Reply::json(404, &json!({"error": "Not Found", "message": "Ressource inexistante"})),
    }
}

fn health(state: &State) -> Reply {
    let mut services = Map::new();
    for (path, word) in &state.services {
        insert(&mut services, path, Value::from(word.as_str()));
    }
    let body = json!({
        "status": state.status,
        "timestamp": state.timestamp,
        "services": services,
        "metrics": {
            "active_syncs": state.active_syncs,
            "pending_conflicts": state.pending_conflicts,
            "last_sync": state.last_sync,
        },
    });
    match &state.health {
        Health::Json => Reply::json(200, &body),
        Health::Unavailable => Reply::json(503, &body),
        Health::Html => Reply::new(200, HTML, page("Connexion")),
        Health::Truncated => {
            let text = body.to_string();
            // Two thirds of it: past `status`, which a careless reader would be content with. All of it is ASCII.
            Reply::new(200, "application/json", &text.as_bytes()[..text.len() * 2 / 3])
        }
        Health::Status(status) => Reply::status(*status),
        Health::Hang => Reply::hang(),
        Health::Slow(delay) => Reply::json(200, &body).after(*delay),
    }
}

/// Puts a value at a dotted path.
fn insert(map: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            map.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = map.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

fn metrics(state: &State) -> Reply {
    let State { cpu_usage, memory_usage, disk_io, total_operations, failed_operations, sync_duration_s, .. } = state;
    let successful = total_operations.saturating_sub(*failed_operations);
    match state.metrics {
        Metrics::SystemSync => Reply::json(
            200,
            &json!({
                "system": {"cpu_usage": cpu_usage, "memory_usage": memory_usage},
                "sync": {
                    "total_operations": total_operations,
                    "failed_operations": failed_operations,
                    "avg_duration": format!("{sync_duration_s}s"),
                },
            }),
        ),
        Metrics::Nested => Reply::json(
            200,
            &json!({
                "period": "1h",
                "metrics": {
                    "sync_operations": {
                        "total": total_operations,
                        "successful": successful,
                        "failed": failed_operations,
                        "avg_duration": format!("{sync_duration_s}s"),
                    },
                    "performance": {"cpu_usage": cpu_usage, "memory_usage": memory_usage, "disk_io": disk_io},
                    "database": {"postgres_connections": 8, "qdrant_operations": 156},
                },
                "time_series": [
                    {"timestamp": state.timestamp, "sync_count": total_operations, "avg_duration": sync_duration_s},
                ],
            }),
        ),
        Metrics::Prometheus => {
            let sum = sync_duration_s * total_operations;
            let text = format!(
                "# HELP go_goroutines Number of goroutines that currently exist.\n\
                 # TYPE go_goroutines gauge\n\
                 go_goroutines 42\n\
                 # HELP system_cpu_usage CPU usage in percent.\n\
                 # TYPE system_cpu_usage gauge\n\
                 system_cpu_usage {cpu_usage:e}\n\
                 # TYPE system_memory_usage gauge\n\
                 system_memory_usage {memory_usage}\n\
                 # TYPE system_disk_io gauge\n\
                 system_disk_io{{device=\"données\",unit=\"MB/s\"}} {disk_io}\n\
                 # TYPE sync_total_operations counter\n\
                 sync_total_operations {total_operations} 1749718800000\n\
                 # TYPE sync_failed_operations counter\n\
                 sync_failed_operations {failed_operations}\n\
                 # HELP sync_duration_seconds Duration of a sync.\n\
                 # TYPE sync_duration_seconds histogram\n\
                 sync_duration_seconds_bucket{{le=\"60\"}} {successful}\n\
                 sync_duration_seconds_bucket{{le=\"+Inf\"}} {total_operations}\n\
                 sync_duration_seconds_sum {sum}\n\
                 sync_duration_seconds_count {total_operations}\n"
            );
            Reply::new(200, "text/plain; version=0.0.4; charset=utf-8", text)
        }
        Metrics::Status(status) => Reply::status(status),
    }
}

fn token(seen: &Seen, state: &State) -> Reply {
    let given = seen.header("Authorization").and_then(|value| value.strip_prefix("Bearer "));
    if given == Some(state.token.as_str()) && state.token_expires_in > 0 {
        Reply::json(200, &json!({"valid": true, "token_type": "Bearer", "expires_in": state.token_expires_in}))
    } else {
        Reply::json(401, &json!({"error": "Unauthorized", "message": "Token manquant ou invalide"}))
    }
}

fn conflicts(state: &State) -> Reply {
    let total = state.conflicts.len();
    let listed: Vec<Value> = state
        .conflicts
        .iter()
        .map(|conflict| {
            json!({
                "id": conflict.id,
                "plan_path": conflict.plan_path,
                "type": "content_divergence",
                "severity": conflict.severity,
                "detected_at": conflict.detected_at,
                "affected_sections": ["Phase 3.2"],
                "auto_resolvable": false,
            })
        })
        .collect();
    let pages = total.div_ceil(20).max(1);
    let pagination = json!({"total": total, "page": 1, "per_page": 20, "total_pages": pages});
    Reply::json(200, &json!({"conflicts": listed, "pagination": pagination}))
}

fn page(title: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"fr\"><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    )
}

//! `connections`: so many are taken that the next ones may be refused, of the server, or of a database or role with a limit of
//! its own.

use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgConnectionRecord};

use super::{Advice, Judged, Rule, evidence, whole_seconds};
use crate::records::{Row as _, Snapshot};
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "connections", on_standby: true, needs: &["connections"], judge };

/// From here on it cannot wait.
const NEARLY_ALL_PERCENT: f64 = 95.0;

/// How many of those who hold most are named.
const NAMED: usize = 3;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let records = &snapshot.records.connections;
    let used =
        |record: &&PgConnectionRecord| record.used_percent.is_some_and(|used| used >= limits.max_connections_used.0);
    records.iter().filter(used).map(|record| advice(record, snapshot, limits)).collect()
}

fn advice(record: &PgConnectionRecord, snapshot: &Snapshot, limits: &Limits) -> Advice {
    let (connections, limit) = (record.connections, record.connection_limit.unwrap_or_default());
    let used = record.used_percent.unwrap_or_default();
    let server = record.scope == "server";
    let setting = |name: &str| server.then(|| snapshot.server.settings.get(name).cloned()).flatten();
    let longest = record.longest_idle_ms.map(|ms| whole_seconds(Duration::from_millis(ms)).show());
    let why = if server {
        format!(
            "{connections} of the {limit} connections that the server has for ordinary roles are taken, and when all are, the \
             next is refused. Make the clients' pools smaller, or put a pooler between (idle ones need none of the server's); \
             a larger max_connections needs memory and a restart"
        )
    } else {
        // A pool that is exactly as large as its limit is as it should be.
        format!(
            "{connections} of the {limit} connections that its CONNECTION LIMIT allows are taken, and when all are, the next is \
             refused. If they are all needed, allow more; else make the clients' pools smaller"
        )
    };
    Advice {
        severity: match (server, used >= NEARLY_ALL_PERCENT) {
            (true, true) => Severity::High,
            (true, false) => Severity::Warning,
            (false, _) => Severity::Info,
        },
        object: record.object.as_ref().map_or_else(|| record.name(), |object| format!("{} {object}", record.scope)),
        why,
        evidence: evidence([
            ("connections", Some(connections.to_string())),
            ("connection_limit", Some(limit.to_string())),
            ("used_percent", Some(used.to_string())),
            ("limit", Some(limits.max_connections_used.show())),
            ("max_connections", setting("max_connections")),
            ("superuser_reserved_connections", setting("superuser_reserved_connections")),
            ("reserved_connections", setting("reserved_connections")),
            ("active", Some(record.active.to_string())),
            ("idle", Some(record.idle.to_string())),
            ("idle_in_transaction", Some(record.idle_in_transaction.to_string())),
            ("hidden", (record.hidden > 0).then(|| record.hidden.to_string())),
            ("longest_idle", longest),
            ("most_held_by", holders(record, &snapshot.records.connections)),
        ]),
        confidence: if record.hidden > 0 { Confidence::Medium } else { Confidence::High },
        // Who may be ended, and what a limit protects, only people know.
        sql: None,
        undo_sql: None,
        gain_bytes: None,
    }
}

/// Those who hold most of them.
fn holders(of: &PgConnectionRecord, records: &[PgConnectionRecord]) -> Option<String> {
    let within = |holder: &&PgConnectionRecord| {
        holder.scope == "holder"
            && (of.datname.is_none() || holder.datname == of.datname)
            && (of.usename.is_none() || holder.usename == of.usename)
    };
    let named: Vec<String> = records
        .iter()
        .filter(within)
        .take(NAMED)
        .map(|holder| format!("{} by {}", holder.connections, holder.name()))
        .collect();
    (!named.is_empty()).then(|| named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn record(scope: &str, used_percent: f64) -> PgConnectionRecord {
        let (scope, connection_limit) = (scope.to_owned(), Some(97));
        PgConnectionRecord {
            scope,
            connection_limit,
            used_percent: Some(used_percent),
            ..PgConnectionRecord::default()
        }
    }

    fn holder(usename: &str, connections: i64) -> PgConnectionRecord {
        PgConnectionRecord {
            scope: "holder".to_owned(),
            usename: Some(usename.to_owned()),
            datname: Some("app".to_owned()),
            application_name: Some("web".to_owned()),
            connections,
            ..PgConnectionRecord::default()
        }
    }

    fn advised(records: Vec<PgConnectionRecord>) -> Vec<Advice> {
        judged(&RULE, &snapshot(|all| all.connections = records)).advice
    }

    #[test]
    fn a_server_is_advised_from_the_limit_on() {
        assert_eq!(advised(vec![record("server", 79.99)]), []);
        assert_eq!(advised(vec![record("server", 80.0)])[0].severity, Severity::Warning);
        assert_eq!(advised(vec![record("server", 94.99)])[0].severity, Severity::Warning);
        assert_eq!(advised(vec![record("server", 95.0)])[0].severity, Severity::High);
    }

    #[test]
    fn who_holds_no_limit_of_its_own_is_not_advised_but_named() {
        assert_eq!(advised(vec![holder("a", 90)]), []);
        let all = vec![record("server", 90.0), holder("a", 50), holder("b", 9), holder("c", 8), holder("d", 7)];
        assert_eq!(advised(all)[0].evidence["most_held_by"], "50 by a@app/web, 9 by b@app/web, 8 by c@app/web");
    }

    #[test]
    fn a_role_or_database_at_its_own_limit_is_worth_a_word() {
        let role = PgConnectionRecord {
            usename: Some("b\"".to_owned()),
            object: Some("\"b\"\"\"".to_owned()),
            ..record("role", 100.0)
        };
        let advice = advised(vec![role, holder("a", 50), holder("b\"", 9)]).remove(0);
        assert_eq!((advice.severity, advice.object.as_str()), (Severity::Info, "role \"b\"\"\""));
        assert_eq!(advice.evidence["most_held_by"], "9 by b\"@app/web");
    }
}

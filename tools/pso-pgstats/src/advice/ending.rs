//! Statements that end what a session does. They name the session's start and the transaction's, so that they cannot hit
//! another session that got the same pid, nor a transaction that began since. Records have milliseconds, of which
//! `date_trunc` makes the server's too.

use pso_common::record::Timestamp;

/// Ends the session and its transaction, as long as it waits for its client.
pub(super) fn terminate(pid: i32, backend_start: Option<Timestamp>, xact_start: Option<Timestamp>) -> Option<String> {
    let statement = statement("pg_terminate_backend", pid, backend_start, xact_start)?;
    Some(format!("{statement} AND state LIKE 'idle in transaction%'"))
}

/// Cancels the statement, and with it the transaction unless it has a savepoint; the session stays.
pub(super) fn cancel(pid: i32, backend_start: Option<Timestamp>, xact_start: Option<Timestamp>) -> Option<String> {
    statement("pg_cancel_backend", pid, backend_start, xact_start)
}

/// Ends a session that is in no transaction, and with it the locks that it holds as a session.
pub(super) fn terminate_idle(pid: i32, backend_start: Option<Timestamp>) -> Option<String> {
    Some(format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = {pid} \
         AND pg_catalog.date_trunc('milliseconds', backend_start) = '{}' AND xact_start IS NULL",
        backend_start?
    ))
}

fn statement(
    function: &str,
    pid: i32,
    backend_start: Option<Timestamp>,
    xact_start: Option<Timestamp>,
) -> Option<String> {
    Some(format!(
        "SELECT pg_catalog.{function}(pid) FROM pg_catalog.pg_stat_activity WHERE pid = {pid} \
         AND pg_catalog.date_trunc('milliseconds', backend_start) = '{}' \
         AND pg_catalog.date_trunc('milliseconds', xact_start) = '{}'",
        backend_start?, xact_start?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::NOW;

    #[test]
    fn what_is_not_known_to_be_the_same_is_not_ended() {
        let now = || Some(NOW.parse().expect("a time"));
        assert_eq!(terminate(1, None, now()), None);
        assert_eq!(cancel(1, now(), None), None);
        assert_eq!(terminate_idle(1, None), None);
        let idle = terminate_idle(7, now()).expect("SQL");
        assert!(idle.contains("pid = 7") && idle.ends_with("xact_start IS NULL"), "{idle}");
    }
}

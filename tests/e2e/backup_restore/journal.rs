//! Restores that are killed at each of their stages: the next run recognises them, and brings them to their end, or back.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use pso_tests::deployment::{self, Spec};
use pso_tests::pg::TempPg;
use pso_tests::proxy::{Mode, TcpProxy};
use pso_tests::tool::{Outcome, Running};
use pso_tests::wait;

use crate::parts::{Content, LIMIT, Parts, checked, flip, states, walk};

/// A deployment whose database can be restored beside the old one, with an archive of what it was, and what it is now.
pub(super) struct Killed {
    pub(super) pg: Option<TempPg>,
    pub(super) parts: Parts,
    pub(super) before: Content,
    pub(super) damaged: Content,
}

/// Stops and starts the service in name only, and kills the tool where a file of that name lies there.
const SERVICE: &str = "restore: {service: {stop: 'echo stop >> service.log; while [ -e hold ]; do sleep 0.02; done; if [ -e kill.stop ]; then rm kill.stop; kill -KILL $PPID; fi', start: 'echo start >> service.log; if [ -e kill.start ]; then rm kill.start; kill -KILL $PPID; fi'}}";

impl Killed {
    pub(super) fn new(name: &str, beside: bool) -> Self {
        let mut parts = Parts::start(name);
        let mut own = None;
        if beside {
            let pg = TempPg::start_new().expect("PostgreSQL");
            parts.database = pg.database("planning_sync").expect("a database");
            let spec = Spec::small(time::OffsetDateTime::now_utc());
            deployment::fill_database(&mut parts.database.connect().expect("connected"), &spec).expect("rows");
            pg.admin("postgres").expect("connected").batch_execute("ALTER ROLE sync_user CREATEDB").expect("granted");
            own = Some(pg);
        }
        parts.configure(SERVICE);
        let before = parts.content();
        checked(parts.tool("pso-backup", &[]).envs(parts.database.env())).assert_code(0);
        parts.damage();
        parts.qdrant.client().create_collection("others", 4).expect("created");
        parts.qdrant.client().create_alias("plans_current", "others").expect("created");
        // The configuration is what it was, with the service's commands in it.
        let damaged = parts.content();
        Self { pg: own, parts, before, damaged }
    }

    pub(super) fn restore(&self, args: &[&str]) -> Outcome {
        checked(self.parts.tool("pso-restore", args).envs(self.parts.database.env()))
    }

    pub(super) fn spawn(&self, args: &[&str]) -> Running {
        self.parts.tool("pso-restore", args).envs(self.parts.database.env()).spawn().expect("started")
    }

    pub(super) fn touch(&self, name: &str) {
        fs::write(self.parts.path(name), "").expect("written");
    }

    pub(super) fn journal(&self) -> String {
        fs::read_to_string(self.parts.path(".pso-restore/journal.jsonl")).unwrap_or_default()
    }

    pub(super) fn wait_for(&self, text: &str) {
        wait::until(text, LIMIT, || self.journal().contains(text).then_some(())).expect("noted");
    }

    #[track_caller]
    pub(super) fn assert_killed(outcome: &Outcome) {
        assert_eq!(outcome.signal, Some(9), "{outcome}");
    }

    /// What the service's commands have done, and forgets it.
    pub(super) fn service(&self) -> String {
        let path = self.parts.path("service.log");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text.replace('\n', " ").trim().to_owned()
    }

    /// How many databases there are of ours.
    pub(super) fn databases(&self) -> String {
        let name = self.parts.database.name();
        let sql = format!("SELECT count(*) FROM pg_database WHERE datname LIKE '{name}%'");
        self.parts.database.scalar(&sql).expect("a count")
    }

    /// The time of the last restore that came to its end: the name of its folder.
    pub(super) fn last(&self) -> String {
        let all = fs::read_dir(self.parts.path(".pso-restore")).expect("a folder");
        let names = all.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
        names.filter(|name| name.len() == 15).max().expect("a restore")
    }

    /// The step that says where what was there is kept.
    pub(super) fn kept(&self) -> String {
        format!("keep {}", self.parts.path(".pso-restore").join(self.last()).display())
    }

    #[track_caller]
    pub(super) fn assert_rolled_back(&self) {
        self.damaged.assert_same(&self.parts.content());
        assert_eq!(self.databases(), "1");
        self.parts.assert_no_trace_of_restore();
    }

    #[track_caller]
    pub(super) fn assert_restored(&self) {
        let now = self.parts.content();
        self.before.rows.assert_same(&now.rows);
        self.before.schema.assert_same(&now.schema);
        for (before, now) in self.before.files.iter().zip(&now.files) {
            before.assert_same(now);
        }
        let mut points = now.points;
        assert!(points.parts.remove("others").is_some(), "what the archive does not have stays");
        self.before.points.assert_same(&points);
        assert!(!self.parts.path(".pso-restore/journal.jsonl").exists());
    }
}

#[test]
fn killed_before_anything_is_seen() {
    let killed = Killed::new("br_kill_stop", true);
    killed.touch("kill.stop");
    Killed::assert_killed(&killed.restore(&["latest", "--yes"]));
    // The cut of a power failure: half a line, which was never acted on.
    let journal = killed.parts.path(".pso-restore/journal.jsonl");
    let mut file = fs::OpenOptions::new().append(true).open(&journal).expect("there");
    file.write_all(br#"{"event":"will","id":9,"to"#).expect("written");
    for args in [
        &["latest", "--yes"][..],
        &["latest", "--dry-run"],
        &["latest", "--yes", "--only", "plans"],
        &["--drop-previous", "--yes"],
    ] {
        let outcome = killed.restore(args);
        outcome.assert_code(3).assert_stderr_has("was interrupted").assert_stderr_has("planning_sync_pso_new_");
        outcome.assert_stderr_has("pso-restore --resume").assert_stderr_has("--rollback");
    }
    let backup = checked(killed.parts.tool("pso-backup", &[]).envs(killed.parts.database.env()));
    backup.assert_code(3).assert_stderr_has("was interrupted").assert_stderr_has("--rollback");
    let text = killed.journal();
    assert!(text.ends_with("}\n"), "{text}");
    for mode in ["--resume", "--rollback"] {
        killed.restore(&[mode]).assert_code(3).assert_stderr_has("--yes");
        let planned = states(killed.restore(&[mode, "--dry-run"]).assert_code(0), "planned");
        assert!(planned.iter().any(|step| step.starts_with("drop postgres:planning_sync_pso_new_")), "{planned:?}");
        assert!(planned.contains(&"start service".to_owned()), "{planned:?}");
    }
    assert_eq!(killed.journal(), text, "nothing was changed");
    assert_eq!(killed.databases(), "2");
    let outcome = killed.restore(&["--rollback", "--yes"]);
    outcome.assert_code(0);
    killed.assert_rolled_back();
    assert_eq!(killed.service(), "stop start");
    killed.restore(&["--rollback", "--yes"]).assert_code(3).assert_stderr_has("no interrupted restore");
    killed.restore(&["--resume", "--yes"]).assert_code(3).assert_stderr_has("no interrupted restore");

    // Again, and forwards; not from an archive that is another one.
    killed.touch("kill.stop");
    Killed::assert_killed(&killed.restore(&["latest", "--yes"]));
    let archive = killed.parts.daily().into_iter().find(|name| name.ends_with(".zip")).expect("an archive");
    let archive = killed.parts.path("backups/daily").join(archive);
    flip(&archive, 5000);
    let outcome = killed.restore(&["--resume", "--yes"]);
    outcome.assert_code(3).assert_stderr_has("is not the archive").assert_stderr_has("--rollback");
    flip(&archive, 5000);
    killed.service();
    let outcome = killed.restore(&["--resume", "--yes"]);
    outcome.assert_code(0);
    killed.assert_restored();
    assert_eq!(killed.service(), "start stop start");
    assert_eq!(killed.databases(), "2", "the new one, and the old one, which is kept");
}

#[test]
fn killed_after_everything_was_switched() {
    let killed = Killed::new("br_kill_start", true);
    killed.touch("kill.start");
    Killed::assert_killed(&killed.restore(&["latest", "--yes"]));
    killed.before.rows.assert_same(&killed.parts.content().rows);
    let outcome = killed.restore(&["latest", "--yes"]);
    outcome.assert_code(3).assert_stderr_has("everything was switched over");
    let outcome = killed.restore(&["--rollback", "--yes"]);
    outcome.assert_code(0);
    let undone = states(&outcome, "rolled_back");
    for step in [
        "swap postgres:planning_sync",
        "restore postgres:planning_sync",
        "restore qdrant:plans",
        "restore qdrant:tasks",
        "aliases qdrant:plans_current",
    ] {
        assert!(undone.iter().any(|undone| undone == step), "{step} is not in {undone:?}");
    }
    killed.assert_rolled_back();
    assert_eq!(killed.service(), "stop start start");
    killed.touch("kill.start");
    Killed::assert_killed(&killed.restore(&["latest", "--yes"]));
    let outcome = killed.restore(&["--resume", "--yes"]);
    outcome.assert_code(0);
    assert_eq!(states(&outcome, "done"), ["start service", &killed.kept(), "health service"]);
    killed.assert_restored();
    assert_eq!(killed.service(), "stop start start");
    assert_eq!(killed.databases(), "2");
}

#[test]
fn killed_while_a_collection_is_uploaded() {
    let killed = Killed::new("br_kill_upload", true);
    let qdrant = TcpProxy::start(killed.parts.qdrant.port()).expect("a proxy");
    let url = qdrant.url();
    for mode in ["--rollback", "--resume"] {
        qdrant.set(Mode::Pass).expect("set");
        killed.touch("hold");
        let mut running = killed.spawn(&["latest", "--yes", "--qdrant-url", &url]);
        killed.wait_for(r#""action":"stop""#);
        qdrant.set(Mode::Trickle { bytes: 512, every: Duration::from_millis(20) }).expect("set");
        fs::remove_file(killed.parts.path("hold")).expect("removed");
        killed.wait_for(r#""action":"collection""#);
        running.signal("KILL").expect("sent");
        Killed::assert_killed(&running.finish().expect("ends"));
        qdrant.set(Mode::Pass).expect("set");
        // Not on another server than it was done on.
        let outcome = killed.restore(&[mode, "--yes"]);
        outcome.assert_code(3).assert_stderr_has(&format!("--qdrant-url {url}"));
        killed.restore(&[mode, "--yes", "--qdrant-url", &url]).assert_code(0);
        if mode == "--rollback" {
            killed.assert_rolled_back();
        } else {
            killed.assert_restored();
        }
    }
}

#[test]
fn killed_while_what_is_there_is_saved() {
    let killed = Killed::new("br_kill_save", true);
    let qdrant = TcpProxy::start(killed.parts.qdrant.port()).expect("a proxy");
    let url = qdrant.url();
    let mut running = killed.spawn(&["latest", "--yes", "--qdrant-url", &url]);
    killed.wait_for(r#""event":"begun""#);
    qdrant.set(Mode::Trickle { bytes: 64, every: Duration::from_millis(20) }).expect("set");
    wait::until("the copy to begin", LIMIT, || {
        walk(&killed.parts.path(".pso-restore")).iter().any(|path| path.ends_with(".snapshot")).then_some(())
    })
    .expect("begun");
    running.signal("KILL").expect("sent");
    Killed::assert_killed(&running.finish().expect("ends"));
    qdrant.set(Mode::Pass).expect("set");
    let client = killed.parts.qdrant.client();
    assert_eq!(client.snapshots("tasks").expect("snapshots").len(), 1, "it lies on the server");
    killed.restore(&["--rollback", "--yes", "--qdrant-url", &url]).assert_code(0);
    killed.assert_rolled_back();
    assert_eq!(killed.service(), "", "nobody had stopped it");
}

#[test]
fn stopped_while_the_service_stops() {
    let killed = Killed::new("br_stop_stop", false);
    killed.touch("hold");
    let mut running = killed.spawn(&["latest", "--yes"]);
    // The journal says what is about to be done: a signal then may come before the command has run.
    let log = killed.parts.path("service.log");
    wait::until("the service to stop", LIMIT, || {
        fs::read_to_string(&log).is_ok_and(|text| text.ends_with("stop\n")).then_some(())
    })
    .expect("it stops");
    running.signal("TERM").expect("sent");
    let outcome = running.finish().expect("ends");
    outcome.assert_code(2).assert_stderr_has("SIGTERM").assert_stderr_has("everything is as it was before");
    killed.assert_rolled_back();
    assert_eq!(killed.service(), "stop start");
}

#[test]
fn killed_while_the_databases_are_renamed() {
    let killed = Killed::new("br_kill_rename", true);
    let pg = killed.pg.as_ref().expect("its own");
    let mut admin = pg.admin("postgres").expect("connected");
    for mode in ["--rollback", "--resume"] {
        // The renaming waits for this.
        admin.batch_execute("BEGIN; COMMENT ON DATABASE planning_sync IS 'held'").expect("held");
        let mut running = killed.spawn(&["latest", "--yes"]);
        killed.wait_for(r#""action":"rename""#);
        let mut watch = pg.admin("postgres").expect("connected");
        wait::until("the renaming to wait", LIMIT, || {
            let sql =
                "SELECT FROM pg_stat_activity WHERE application_name = 'pso-restore' AND wait_event_type = 'Lock'";
            watch.query_opt(sql, &[]).expect("sessions").map(drop)
        })
        .expect("it waits");
        running.signal("KILL").expect("sent");
        Killed::assert_killed(&running.finish().expect("ends"));
        admin.batch_execute("ROLLBACK").expect("let go");
        let outcome = killed.restore(&["latest", "--yes"]);
        outcome.assert_code(3).assert_stderr_has("the renaming of planning_sync");
        killed.restore(&[mode, "--yes"]).assert_code(0);
        let closed = "SELECT count(*) FROM pg_database WHERE NOT datallowconn AND datname <> 'template0'";
        assert_eq!(killed.parts.database.scalar(closed).expect("a count"), "0");
        if mode == "--rollback" {
            killed.assert_rolled_back();
        } else {
            killed.assert_restored();
        }
    }
}

#[test]
fn killed_in_place() {
    let killed = Killed::new("br_kill_place", false);
    killed.touch("kill.stop");
    Killed::assert_killed(&killed.restore(&["latest", "--yes"]));
    killed.restore(&["--rollback", "--yes"]).assert_code(0);
    killed.assert_rolled_back();
    killed.touch("kill.stop");
    Killed::assert_killed(&killed.restore(&["latest", "--yes"]));
    killed.restore(&["--resume", "--yes"]).assert_code(0);
    killed.assert_restored();
    // What was committed in place has no way back.
    killed.parts.database.execute("DROP TABLE conflicts CASCADE").expect("damaged");
    killed.touch("kill.start");
    Killed::assert_killed(&killed.restore(&["latest", "--yes"]));
    let outcome = killed.restore(&["--rollback", "--yes"]);
    outcome.assert_code(3).assert_stderr_has("there is no way back").assert_stderr_has("--resume");
    let outcome = killed.restore(&["--resume", "--yes"]);
    outcome.assert_code(0);
    killed.assert_restored();
}

#[test]
fn an_undoing_that_fails_is_tried_again() {
    let mut killed = Killed::new("br_undo_again", true);
    killed.touch("kill.start");
    Killed::assert_killed(&killed.restore(&["latest", "--yes"]));
    killed.parts.qdrant.stop().expect("stopped");
    let outcome = killed.restore(&["--rollback", "--yes"]);
    outcome.assert_code(2).assert_stderr_has("not everything could be undone").assert_stderr_has("tries again");
    let failed = states(&outcome, "failed");
    assert!(failed.contains(&"restore qdrant:plans".to_owned()), "{failed:?}");
    // The rest is back already, and the service runs.
    assert_eq!(killed.databases(), "1");
    assert_eq!(killed.service(), "stop start start");
    killed.parts.qdrant.restart().expect("started");
    killed.restore(&["latest", "--yes"]).assert_code(3).assert_stderr_has("was interrupted");
    killed.restore(&["--rollback", "--yes"]).assert_code(0);
    killed.assert_rolled_back();
}

#[test]
fn several_databases_are_switched_and_taken_back_together() {
    let killed = Killed::new("br_kill_both", true);
    let pg = killed.pg.as_ref().expect("its own");
    let mut admin = pg.admin("postgres").expect("connected");
    admin.batch_execute("CREATE DATABASE archive_2025 OWNER sync_user").expect("created");
    let count = || {
        let mut other = pg.admin("archive_2025").expect("connected");
        let row = other.query_one("SELECT count(*) FROM notes", &[]).expect("a count");
        row.get::<_, i64>(0)
    };
    let mut other = pg.admin("archive_2025").expect("connected");
    other.batch_execute("CREATE TABLE notes AS SELECT n FROM generate_series(1, 7) AS n").expect("filled");
    other.batch_execute("ALTER TABLE notes OWNER TO sync_user").expect("given");
    killed
        .parts
        .reconfigure("\nmaintenance:\n", "\nmaintenance:\n  backup: {databases: [planning_sync, archive_2025]}\n");
    let backup = killed.parts.tool("pso-backup", &["--only", "postgres"]).envs(killed.parts.database.env());
    checked(backup).assert_code(0);
    other.batch_execute("DELETE FROM notes WHERE n > 2").expect("lost");
    drop(other);
    killed.touch("kill.start");
    Killed::assert_killed(&killed.restore(&["latest", "--yes"]));
    assert_eq!(count(), 7);
    killed.restore(&["--rollback", "--yes"]).assert_code(0);
    assert_eq!(count(), 2);
    killed.touch("kill.start");
    Killed::assert_killed(&killed.restore(&["latest", "--yes"]));
    killed.restore(&["--resume", "--yes"]).assert_code(0);
    assert_eq!(count(), 7);
    let dropped = states(killed.restore(&["--drop-previous", "--yes"]).assert_code(0), "done");
    for name in ["planning_sync", "archive_2025"] {
        let step = format!("drop postgres:{name}_before_");
        assert!(dropped.iter().any(|done| done.starts_with(&step)), "{dropped:?}");
    }
    let left = admin
        .query_one("SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT datistemplate", &[]);
    assert_eq!(left.expect("names").get::<_, String>(0), "archive_2025 planning_sync postgres");
    killed.parts.assert_no_trace_of_restore();
}

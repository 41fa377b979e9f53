//! Folders that look like those of a killed rehearsal, with a cluster whose user has put something else into it.

use std::os::unix::fs::{MetadataExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use super::assert_empty;
use super::postgres::Db;
use crate::parts::checked;

/// An ordinary user, as whom the cluster ran.
const USER: u32 = 65534;

/// A process that works in a folder, ended at last.
struct Worker(Child);

impl Worker {
    fn of(user: u32, folder: &Path) -> Self {
        let user = user.to_string();
        let ids = [format!("--reuid={user}"), format!("--regid={user}")];
        let mut command = Command::new("setpriv");
        command.args(ids).args(["--clear-groups", "--", "sleep", "600"]).current_dir(folder);
        Self(command.spawn().expect("started"))
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().expect("asked").is_none()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a killed rehearsal has left; the folder of its cluster.
fn leftover(db: &Db, name: &str) -> PathBuf {
    let folder = db.temp.path().join(format!("pso-rehearse-{name}"));
    let cluster = folder.join("postgres/cluster");
    std::fs::create_dir_all(&cluster).expect("made");
    std::fs::write(folder.join("lock"), "1\n").expect("written");
    lchown(&cluster, Some(USER), Some(USER)).expect("given");
    cluster
}

#[test]
fn the_clusters_user_cannot_make_us_end_or_remove_what_is_anothers() {
    if std::fs::metadata("/proc/self").expect("/proc").uid() != 0 {
        return;
    }
    let db = Db::of("rehearse_left_links", "CREATE TABLE t AS SELECT 1 AS one");
    db.archive();
    let elsewhere = super::open_folder();
    std::fs::write(elsewhere.path().join("postmaster.pid"), "").expect("written");

    // A data folder that leads to where others work, of the same user and of another.
    let linked = leftover(&db, "linked");
    symlink(elsewhere.path(), linked.join("data")).expect("linked");
    let (mut same, mut other) = (Worker::of(USER, elsewhere.path()), Worker::of(USER - 1, elsewhere.path()));
    let forged = format!("{}\n", other.0.id());
    std::fs::write(elsewhere.path().join("postmaster.pid"), forged).expect("written");

    // A number that is another's, and somebody who looks around there.
    let real = leftover(&db, "real");
    std::fs::create_dir(real.join("data")).expect("made");
    std::fs::write(real.join("data/postmaster.pid"), format!("{}\n", same.0.id())).expect("written");
    let (mut guest, mut its) = (Worker::of(USER - 1, &real.join("data")), Worker::of(USER, &real.join("data")));

    // A pipe that nobody writes.
    let pipe = leftover(&db, "pipe");
    std::fs::create_dir(pipe.join("data")).expect("made");
    let made = Command::new("mkfifo").arg(pipe.join("data/postmaster.pid")).status();
    assert!(made.expect("mkfifo").success());

    let outcome = checked(db.tool(&[]));
    outcome.assert_code(0);
    assert_empty(db.temp.path(), &outcome);
    assert!(same.lives() && other.lives() && guest.lives(), "{outcome}");
    assert!(!its.lives(), "what ran there as its user is ended\n{outcome}");
    assert!(elsewhere.path().join("postmaster.pid").exists(), "what a link leads to stays");
}

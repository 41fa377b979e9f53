//! What goes, and what stays.

use std::cell::RefCell;
use std::fs;

use pso_archive::scratch::{LOCK, PREFIX};

use super::Place;
use super::leftovers::remove_from;

#[test]
fn it_is_gone_however_it_ends() {
    let parent = tempfile::tempdir().expect("a folder");
    let is_empty = || fs::read_dir(parent.path()).expect("readable").next().is_none();
    let place = Place::create(parent.path(), false).expect("made");
    fs::write(place.folder("files").expect("made").join("a"), "a").expect("written");
    place.end().expect("removed");
    assert!(is_empty());
    drop(Place::create(parent.path(), false).expect("made"));
    assert!(is_empty());
    let place = Place::create(parent.path(), true).expect("made");
    let path = place.path().to_path_buf();
    fs::write(place.folder("files").expect("made").join("a"), "a").expect("written");
    place.end().expect("kept");
    assert!(path.join("files/a").exists());
    assert_eq!(remove_from(parent.path(), |_| panic!("it is kept")).len(), 0);
    assert!(path.join("files/a").exists());
    assert!(Place::create(&parent.path().join("none"), false).is_err());
}

#[cfg(unix)]
#[test]
fn only_what_a_killed_rehearsal_of_ours_has_left_goes() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let parent = tempfile::tempdir().expect("a folder");
    let alive = Place::create(parent.path(), false).expect("made");
    let make = |name: &str, mode: u32| {
        let path = parent.path().join(format!("{PREFIX}{name}"));
        fs::create_dir(&path).expect("made");
        fs::write(path.join(LOCK), "4711\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
        path
    };
    let (dead, passable, open) = (make("dead", 0o700), make("passable", 0o711), make("open", 0o777));
    // Somebody's own, by that name.
    let unlocked = parent.path().join(format!("{PREFIX}notes"));
    fs::create_dir(&unlocked).expect("made");
    fs::write(unlocked.join("a"), "a").expect("written");
    let link = parent.path().join(format!("{PREFIX}link"));
    symlink(&unlocked, &link).expect("linked");
    let lured = make("lured", 0o700);
    fs::remove_file(lured.join(LOCK)).expect("removed");
    symlink(unlocked.join("a"), lured.join(LOCK)).expect("linked");
    fs::write(parent.path().join(format!("{PREFIX}file")), "a").expect("written");
    let ended = RefCell::new(Vec::new());
    let mut gone: Vec<String> = remove_from(parent.path(), |path| ended.borrow_mut().push(path.to_path_buf()))
        .into_iter()
        .map(|(path, result)| {
            result.expect("removed");
            path
        })
        .collect();
    gone.sort();
    assert_eq!(gone, [dead.display().to_string(), passable.display().to_string()]);
    assert_eq!(ended.borrow().len(), 2, "what ran in them was ended first");
    assert!([&open, &unlocked, &lured].iter().all(|path| path.exists()) && alive.path().join(LOCK).exists());
    assert_eq!(fs::read_to_string(unlocked.join("a")).expect("there"), "a", "nothing was written through a link");
}

//! The Task Scheduler's XML against its documented schema: well formed, in order, with nothing that it does not know.
//! <https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema>

use std::fs;

use roxmltree::{Document, Node};

use super::{SCHEDULED, assert_declares, files};

const NAMESPACE: &str = "http://schemas.microsoft.com/windows/2004/02/mit/task";

/// Of each element that is used here its children, those of a sequence in its order; `*` where the schema has any order.
const SCHEMA: [(&str, bool, &[&str]); 13] = [
    ("Task", false, &["RegistrationInfo", "Triggers", "Settings", "Principals", "Actions"]),
    ("RegistrationInfo", false, &["Description", "Author", "URI"]),
    ("Triggers", false, &["CalendarTrigger"]),
    // triggerBaseType, a sequence, and what calendarTriggerType adds behind it.
    (
        "CalendarTrigger",
        true,
        &["Enabled", "StartBoundary", "EndBoundary", "Repetition", "ScheduleByDay", "ScheduleByWeek"],
    ),
    ("Repetition", false, &["Interval", "Duration", "StopAtDurationEnd"]),
    ("ScheduleByDay", false, &["DaysInterval"]),
    ("ScheduleByWeek", false, &["WeeksInterval", "DaysOfWeek"]),
    ("DaysOfWeek", false, &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]),
    ("Principals", false, &["Principal"]),
    ("Principal", false, &["UserId", "LogonType", "GroupId", "DisplayName", "RunLevel"]),
    (
        "Settings",
        false,
        &[
            "MultipleInstancesPolicy",
            "DisallowStartIfOnBatteries",
            "StopIfGoingOnBatteries",
            "StartWhenAvailable",
            "ExecutionTimeLimit",
        ],
    ),
    ("Actions", true, &["Exec"]),
    ("Exec", false, &["Command", "Arguments", "WorkingDirectory"]),
];

/// The first thing in it that the schema does not allow.
fn fault(node: Node<'_, '_>) -> Option<String> {
    let name = node.tag_name().name();
    if node.tag_name().namespace() != Some(NAMESPACE) {
        return Some(format!("{name} is of another namespace"));
    }
    let children: Vec<Node<'_, '_>> = node.children().filter(Node::is_element).collect();
    let allowed = SCHEMA.iter().find(|(element, ..)| *element == name);
    let mut last = 0;
    for child in &children {
        let child = child.tag_name().name();
        let Some((_, in_order, names)) = allowed else { return Some(format!("{name} has no children")) };
        let Some(place) = names.iter().position(|known| *known == child) else {
            return Some(format!("{name} has no {child}"));
        };
        if *in_order && place < last {
            return Some(format!("{child} stands too late in {name}"));
        }
        last = place;
    }
    children.into_iter().find_map(fault)
}

fn text<'a>(document: &'a Document<'_>, name: &str) -> &'a str {
    let mut found = document.descendants().filter(|node| node.tag_name().name() == name);
    let node = found.next().unwrap_or_else(|| panic!("no {name}"));
    node.text().unwrap_or_default()
}

#[test]
fn every_task_is_as_the_schema_says_and_runs_a_script_that_has_its_parameters() {
    let mut scripts = Vec::new();
    for path in files("windows") {
        let xml = fs::read_to_string(&path).expect("readable");
        assert!(xml.is_ascii() && !xml.starts_with("<?xml"), "{}", path.display());
        let document = Document::parse(&xml).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(fault(document.root_element()), None, "{}", path.display());
        assert_eq!(text(&document, "MultipleInstancesPolicy"), "IgnoreNew");
        assert_eq!(text(&document, "RunLevel"), "LeastPrivilege");
        assert_eq!(text(&document, "WorkingDirectory"), r"C:\planning");
        assert_eq!(text(&document, "Command"), "pwsh.exe");
        let own =
            format!("-TaskName pso\\{0} -Xml (Get-Content -Raw {0}.xml)", path.file_stem().expect("a name").display());
        assert!(xml.contains(&own), "{}", path.display());

        let arguments = text(&document, "Arguments");
        let before = r#"-NoLogo -NoProfile -NonInteractive -File "C:\Program Files\pso\scripts\"#;
        let (name, rest) = arguments.strip_prefix(before).and_then(|rest| rest.split_once(".ps1\"")).expect("a script");
        let parameters: Vec<&str> = rest.split_whitespace().filter(|word| word.starts_with('-')).collect();
        assert_declares(name, &parameters);
        scripts.push(name.to_owned());
    }
    scripts.sort();
    assert_eq!(scripts, SCHEDULED);
}

#[test]
fn what_is_wrong_in_a_task_is_seen() {
    let good = super::read("windows/health.xml");
    for (from, to) in [
        ("<DaysInterval>1</DaysInterval>", "<DayInterval>1</DayInterval>"),
        (
            "<Enabled>true</Enabled>\n      <StartBoundary>2026-01-01T00:00:00</StartBoundary>",
            "<StartBoundary>2026-01-01T00:00:00</StartBoundary>\n      <Enabled>true</Enabled>",
        ),
        ("2004/02/mit/task", "2004/02/mit/tasks"),
    ] {
        assert!(good.contains(from), "{from}");
        let broken = good.replacen(from, to, 1);
        assert!(fault(Document::parse(&broken).expect("well formed").root_element()).is_some(), "{to}");
    }
    assert!(Document::parse(&good.replace("</Settings>", "")).is_err());
}

//! Lines in, templates out.

use crate::stamps::Moment;
use crate::templates::{Known, Level, Line, Mined, Order, Sketch, Slot, mine};

fn line(text: &[u8], number: usize) -> Line<'_> {
    let order = Order { file: 0, chunk: 0, line: number as u64 };
    Line { bytes: text, stamp_end: 0, fields: 0, at: None, order }
}

fn sketch<'t>(lines: impl IntoIterator<Item = &'t str>) -> (Sketch, Vec<Slot>) {
    let mut sketch = Sketch::default();
    let slots = lines.into_iter().enumerate().map(|(number, text)| sketch.add(line(text.as_bytes(), number))).collect();
    (sketch, slots)
}

fn mined<'t>(lines: impl IntoIterator<Item = &'t str>) -> Mined {
    mine(&sketch(lines).0, &Known::default())
}

/// The templates with their counts, sorted by their texts.
fn texts(mined: &Mined) -> Vec<(&str, u64)> {
    let mut texts: Vec<(&str, u64)> =
        mined.templates.iter().map(|template| (template.text.as_str(), template.count.count)).collect();
    texts.sort_unstable();
    texts
}

/// The templates of lines, without their counts.
fn of(lines: &str) -> Vec<String> {
    texts(&mined(lines.lines())).into_iter().map(|(text, _)| text.to_owned()).collect()
}

#[test]
fn what_is_a_parameter_by_its_looks() {
    for (line, expected) in [
        ("took 5 ms of 1.5 MB", "took <*> of <*>"),
        ("at 10.0.0.1:80, then at fe80::1:2, from 00:1b:aa:cc:dd:ee", "at <*>, then at <*>, from <*>"),
        ("at db.example.org:5432 since Sat Jun 18 02:08:10 2005", "at <*> since <*>"),
        ("read /var/lib/x: No such file", "read <*>: No such file"),
        ("GET https://example.org/a?b=c&d=1.", "GET <*>."),
        ("job 3f2a91bc-12aa-4bde-9d1e-7a0c11223344 of joe@example.org", "job <*> of <*>"),
        ("blocks blk_1 blk_-2 blk_3, blk_4", "blocks blk_<*>"),
        ("a= b=1 c=- d=null e=x f=", "a= b=<*> c= d=<*> e=x f="),
        ("GET / of dir=/ and a/b", "GET <*> of dir=<*> and a/b"),
        ("within <1 sec", "within <*>"),
        ("jk2_init() of log4j in L2", "jk2_init() of log4j in L<*>"),
        ("disk \u{1b}[1;31mfull\u{1b}[0m now", "disk full now"),
        ("Ünïcödé für 5 日本語", "Ünïcödé für <*> 日本語"),
        ("only \u{1} <*> here", "only <*> here"),
        ("open=true next:false, done= False x", "open=<*> next:<*>, done= <*> x"),
        ("say: true words, error: null pointer", "say: true words, error: null pointer"),
        ("sent 18846 bytes (18.4 KB) in 12.5s (3 retries)", "sent <*> in <*>"),
        ("from 10.0.0.1 (10.0.0.1) as 5 (a b)", "from <*> (<*>) as <*> (a b)"),
        ("peer ::1, [::]:80 and fe80::1%eth0 of 2001:db8::1/64", "peer <*>, [<*>]:<*> and <*> of <*>"),
        ("a::b at Some::Name and done :: ok", "a::b at Some::Name and done :: ok"),
        ("key 9wYzqA+bc8== of RSA SHA256:9wYzqAbcDefGhi/Klmno+Pq", "key <*> of RSA SHA<*>"),
        ("a == b and x= y", "a == b and x= y"),
        ("list *v1.Pod at 5 PM", "list *v1.Pod at <*>"),
    ] {
        assert_eq!(of(line), [expected], "{line}");
    }
}

#[test]
fn the_header_is_no_part_of_it() {
    for line in [
        "2026-11-01 12:00:00 INFO the disk is full",
        "[12:00:00] [error] the disk is full",
        "17/06/09 20:10:40 WARN storage.Disk: the disk is full",
        "081109 203615 148 INFO dfs.Data$Node: the disk is full",
        "- INFO  [Peer[myid=1]/0:0:0:0:2181:Disk@774] - the disk is full",
        "Jun 14 15:16:01 host disk(part)[19939]: the disk is full",
        "20171223-22:15:29:606|Disk|30002312|the disk is full",
        "2026-11-01 12:00:00.123  INFO 42 --- [  main] a.b.Disk  : the disk is full",
        "- 1117838570 2005.06.03 R02-M1 R02-M1 RAS KERNEL INFO the disk is full",
        "03-17 16:13:38.811  1702  2395 D the disk is full",
        "- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 disk(part)[2915]: the disk is full",
        "Jul  1 09:00:55 host com.disk.launchd[1] (com.disk.part): the disk is full",
        "tool.exe *64 - the disk is full",
        "I, [2026-11-01T12:00:00.123456 #42]  INFO -- : the disk is full",
        "11/01/2026 12:00:00 PM Warning the disk is full",
        "134681 node-246 unix.hw state_change.unavailable 1077804742 1 the disk is full",
        "time=\"2026-11-01 12:00:00\" level=info msg=\"the disk is full\" free=0 of=/dev/sda1",
        "Nov  1 12:00:00 host dockerd[42]: time=2026-11-01T12:00:00Z level=info msg=\"the disk is full\" x=\"y\"",
    ] {
        assert_eq!(of(line), ["the disk is full"], "{line}");
    }
    // A line that is nothing else is kept, and so is the name of what went wrong.
    for line in ["[all of it]", "ERROR:", "java.io.IOException: reset", "SyncTimeout: reset"] {
        assert_eq!(of(line), [line]);
    }
    // With syslog's stamp the host is known to be one.
    let mut sketch = Sketch::default();
    let text = b"Jun 14 15:16:01 alpha kernel: the disk is full";
    sketch.add(Line { stamp_end: 15, fields: 1, ..line(text, 0) });
    assert_eq!(texts(&mine(&sketch, &Known::default())), [("the disk is full", 1)]);
}

#[test]
fn a_column_of_many_words_is_a_parameter() {
    let few = "user joe went away home\nuser ann went away home";
    assert_eq!(of(few).len(), 2, "may be two states");
    let users = ["joe", "ann", "bob", "eve", "tom"];
    let many: Vec<String> = users.iter().map(|user| format!("mail of {user} was sent")).collect();
    assert_eq!(of(&many.join("\n")), ["mail of <*> was sent"]);
    // Two at once, though none of the keys has a neighbour that differs in only one.
    let both: Vec<String> =
        (0..6).map(|at| format!("mail of a{} to b{} was sent", "x".repeat(at), "y".repeat(at))).collect();
    assert_eq!(of(&both.join("\n")), ["mail of <*> to <*> was sent"]);
    // Few words that are the same, and every value of the one beside every value of the other.
    let all: Vec<String> =
        users.iter().flat_map(|one| users.iter().map(move |other| format!("saw {one} {other}"))).collect();
    assert_eq!(of(&all.join("\n")), ["saw <*>"]);
    // What goes before tells a name sooner, and so does a number in the same place.
    assert_eq!(of("for user joe now\nfor user ann now\nfor user bob now"), ["for user <*> now"]);
    assert_eq!(of("started on port 80\nstarted on port http"), ["started on port <*>"]);
    // The beginning tells what happened.
    let errors: Vec<String> =
        ["A", "B", "C", "D", "E", "F"].iter().map(|name| format!("{name}Error plan=5 x=1")).collect();
    assert_eq!(of(&errors.join("\n")).len(), 6);
}

#[test]
fn words_in_capitals_are_constants() {
    let states = ["NEW", "READY", "RUNNING", "DONE", "FAILED", "LOST_NODE", "KILLED"];
    let lines: Vec<String> =
        states.windows(2).map(|two| format!("job 5 went from {} to {} at last", two[0], two[1])).collect();
    assert_eq!(of(&lines.join("\n")).len(), lines.len());
}

#[test]
fn a_value_may_have_several_words() {
    let words = ["plan", "cart", "stock", "audit", "order", "search"];
    let mut lines = Vec::new();
    for (number, word) in words.iter().enumerate() {
        let next = words[(number + 1) % words.len()];
        lines.push(format!("the {word} service entered the running state"));
        lines.push(format!("the {word} {next} service entered the running state"));
        lines.push(format!("could not reach {word}:80 now"));
    }
    // Too few of this length to see that they are values, but those of other lengths tell.
    lines.push("the old and quiet print service entered the running state".to_owned());
    lines.push("the old and quiet print service entered the stopped state".to_owned());
    // An address and its port are masked as one.
    lines.push("could not reach 10.0.0.1:80 now".to_owned());
    assert_eq!(
        of(&lines.join("\n")),
        [
            "could not reach <*> now",
            "the <*> service entered the running state",
            "the old and quiet print service entered the stopped state"
        ]
    );
    // A later run knows them, whatever their length.
    let mut known = Known::default();
    known.learn(&mined(lines.iter().map(String::as_str)));
    let later = ["the new service entered the running state", "the new mail service entered the running state"];
    assert!(mine(&sketch(later).0, &known).templates.iter().all(|template| !template.new));
}

#[test]
fn a_level_before_the_stamp_counts() {
    let mut sketch = Sketch::default();
    let text = b"ERROR 2026-06-12 09:00:00 the disk is full";
    sketch.add(Line { stamp_end: 25, ..line(text, 0) });
    let mined = mine(&sketch, &Known::default());
    assert_eq!((mined.templates[0].text.as_str(), mined.templates[0].level), ("the disk is full", Some(Level::Error)));
}

#[test]
fn names_that_come_one_by_one_are_not_new_for_ever() {
    let mut known = Known::default();
    let mut new = Vec::new();
    for name in ["joe", "ann", "bob", "eve", "tom", "sue", "kim", "max"] {
        let found = mine(&sketch([format!("mail of {name} was sent").as_str()]).0, &known);
        new.push(found.templates[0].new);
        known.learn(&found);
    }
    assert_eq!(new, [true, true, true, true, false, false, false, false]);
}

#[test]
fn a_new_error_is_new_among_thousands_of_known_ones() {
    let word =
        |number: usize| -> String { format!("{number:05}").bytes().map(|digit| char::from(digit + 49)).collect() };
    let lines: Vec<String> = (0..5000).map(|at| format!("cannot {} of {}", word(at), word(at * 3))).collect();
    let mut known = Known::default();
    for part in lines.chunks(500) {
        known.learn(&mined(part.iter().map(String::as_str)));
    }
    let (sketch, _) = sketch([lines[7].as_str(), "the index of plans is damaged: checksum of page 5 differs"]);
    let found = mine(&sketch, &known);
    let new: Vec<bool> = found.templates.iter().map(|template| template.new).collect();
    assert_eq!(new.iter().filter(|new| **new).count(), 1, "{:?}", found.templates);
    assert!(found.templates.iter().any(|template| template.new && template.text.starts_with("the index")));
}

#[test]
fn a_long_line_ends_with_a_whole_word() {
    let lines: Vec<String> = (0..20).map(|at| format!("delete{} {}", " ".repeat(at), "blk_7 ".repeat(500))).collect();
    assert_eq!(of(&lines.join("\n")), ["delete blk_<*>"]);
}

#[test]
fn states_are_not_parameters() {
    let states: Vec<String> = ["opened", "closed", "lost"]
        .iter()
        .flat_map(|state| (0..20).map(move |user| format!("session {state} for user u{}", "x".repeat(user))))
        .collect();
    let expected = ["session closed for user <*>", "session lost for user <*>", "session opened for user <*>"];
    assert_eq!(of(&states.join("\n")), expected);
}

#[test]
fn quoted_texts_of_many_forms_are_one_value() {
    let agents = ["curl/8", "Mozilla/5.0 (X11; Linux) Gecko/1", "-", "a b c", "Bot/1 (+http://x.org/a)", "x; y"];
    let lines: Vec<String> = agents
        .iter()
        .map(|agent| format!("1.2.3.4 - joe [01/Nov/2026:00:00:00] \"GET /x HTTP/1.1\" 200 \"{agent}\""))
        .collect();
    assert_eq!(of(&lines.join("\n")), ["\"GET <*> HTTP/<*>\" <*> \"<*>\""]);
    let texts = ["disk full", "plan (of joe) lost", "retry, then stop", "a b c d", "done: all", "x; y"];
    let messages: Vec<String> = texts.iter().map(|text| format!("level=info msg=\"{text}\"")).collect();
    assert_eq!(of(&messages.join("\n")).len(), texts.len(), "the first may be the message");
}

#[test]
fn json_lines_are_their_message_or_their_fields() {
    let lines = r#"{"time":"2026-11-01T00:00:00Z","level":"error","msg":"could not reach 10.0.0.1","attempt":5}
{"time":"2026-11-01T00:00:01Z","level":"error","msg":"could not reach 10.0.0.2"}
{"ts":1,"lvl":"warn","a":{"b":["c"]}}
{"log":"2026-11-01T00:00:00Z INFO started 5 workers\n","stream":"stdout"}"#;
    let mined = mined(lines.lines());
    let expected = [("could not reach <*>", 2), ("started <*> workers", 1), ("{ts,lvl,a}", 1)];
    assert_eq!(texts(&mined), expected);
    let level = |text: &str| mined.templates.iter().find(|template| template.text.starts_with(text)).unwrap().level;
    assert_eq!(level("could"), Some(Level::Error));
    assert_eq!(level("started"), Some(Level::Info));
    assert_eq!(level("{ts"), Some(Level::Warning));
}

#[test]
fn a_template_knows_its_lines() {
    let mut sketch = Sketch::default();
    let texts = ["WARN disk 7 is slow", "INFO disk 8 is slow", "ERROR disk 9 is slow", "done"];
    let slots: Vec<Slot> = [2, 0, 1, 3]
        .iter()
        .map(|&number| {
            let at = Some(Moment(number as i64 * 10));
            sketch.add(Line { at, ..line(texts[number].as_bytes(), number) })
        })
        .collect();
    let mined = mine(&sketch, &Known::default());
    assert_eq!(mined.templates.len(), 2);
    let slow = &mined.templates[0];
    assert_eq!((slow.text.as_str(), slow.count.count), ("disk <*> is slow", 3));
    assert_eq!((slow.count.first, slow.count.last), (Some(Moment(0)), Some(Moment(20))));
    assert_eq!(slow.example.bytes, b"WARN disk 7 is slow");
    assert_eq!(slow.level, Some(Level::Error));
    assert_eq!(slow.id.len(), 16);
    assert!(slow.new);
    let of: Vec<Option<usize>> = slots.iter().map(|&slot| mined.template_of(slot)).collect();
    assert_eq!(of, [Some(0), Some(0), Some(0), Some(1)]);
}

#[test]
fn known_templates_keep_their_name_and_only_others_are_new() {
    let mut known = Known::default();
    let first: Vec<String> =
        ["joe", "ann", "bob", "eve", "tom"].iter().map(|user| format!("mail of {user} was sent")).collect();
    let before = mined(first.iter().map(String::as_str));
    known.learn(&before);
    let saved = serde_json::to_string(&known).unwrap();
    let mut known: Known = serde_json::from_str(&saved).unwrap();
    let (sketch, _) = sketch(["mail of sue was sent", "mail of sue was lost", "other 5"]);
    let after = mine(&sketch, &known);
    let new: Vec<(&str, bool)> =
        after.templates.iter().map(|template| (template.text.as_str(), template.new)).collect();
    assert!(new.contains(&("mail of <*> was sent", false)), "{new:?}");
    assert!(new.contains(&("mail of sue was lost", true)) && new.contains(&("other <*>", true)), "{new:?}");
    let id =
        |mined: &Mined| mined.templates.iter().find(|template| template.text.ends_with("sent")).unwrap().id.clone();
    assert_eq!(id(&before), id(&after));
    known.learn(&after);
    assert!(mine(&sketch, &known).templates.iter().all(|template| !template.new));
}

#[test]
fn known_templates_are_not_more_than_can_be_kept() {
    let mut known = Known::default();
    let word =
        |number: usize| -> String { number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect() };
    // Lines that have no word in common are no template.
    for run in 0..5 {
        let lines: Vec<String> =
            (0..1500).map(|at| run * 1500 + at).map(|at| format!("{} x{}", word(at), word(at * 7))).collect();
        let found = mined(lines.iter().map(String::as_str).chain(["kept from the first run"]));
        assert_eq!(found.templates.len(), 1501);
        known.learn(&found);
    }
    assert!(mine(&sketch([format!("{} x{}", word(3), word(21)).as_str()]).0, &known).templates[0].new);
    let json = serde_json::to_value(&known).unwrap();
    assert_eq!(json["templates"].as_object().unwrap().len(), 5000);
    assert!(!mine(&sketch(["kept from the first run"]).0, &known).templates[0].new);
}

/// Lines of a few templates with parameters of all kinds.
fn generated(random: &mut fastrand::Rng, count: usize) -> Vec<String> {
    let names = ["joe", "ann", "bob", "eve", "tom", "sue", "kim", "max"];
    (0..count)
        .map(|_| {
            let name = names[random.usize(..names.len())];
            let number = random.u32(..);
            match random.u8(..6) {
                0 => format!("INFO mail of {name} was sent to {}", names[random.usize(..3)]),
                1 => format!("WARN disk {number} is {}", ["slow", "full", "gone"][random.usize(..3)]),
                2 => format!("session opened for user {name} by (uid={number})"),
                3 => format!("{{\"level\":\"info\",\"msg\":\"{name} did {number}\",\"x\":{number}}}"),
                4 => format!("ERROR {name}.md: cannot be read (code {})", if random.bool() { "none" } else { "5" }),
                _ => format!("1.2.3.4 - - \"GET /x\" \"{}\"", "a, ".repeat(random.usize(..9))),
            }
        })
        .collect()
}

#[test]
fn the_order_of_lines_and_sketches_does_not_matter() {
    let mut random = fastrand::Rng::with_seed(4);
    for round in 0..40 {
        let lines = generated(&mut random, 50 * round);
        let whole = mined(lines.iter().map(String::as_str));
        let mut numbers: Vec<usize> = (0..lines.len()).collect();
        random.shuffle(&mut numbers);
        let mut sketches: Vec<Sketch> = (0..random.usize(1..6)).map(|_| Sketch::default()).collect();
        for number in numbers {
            let place = random.usize(..sketches.len());
            sketches[place].add(line(lines[number].as_bytes(), number));
        }
        while sketches.len() > 1 {
            let other = sketches.swap_remove(random.usize(..sketches.len()));
            let place = random.usize(..sketches.len());
            sketches[place].absorb(other);
        }
        assert_eq!(mine(&sketches[0], &Known::default()), whole, "round {round}");
    }
}

#[test]
fn many_names_are_still_one_template() {
    let mut random = fastrand::Rng::with_seed(5);
    let mut sketch = Sketch::default();
    let mut slots = Vec::new();
    for number in 0..40_000 {
        let name: String = (0..8).map(|_| random.lowercase()).collect();
        slots.push(sketch.add(line(format!("Invalid user {name} from 10.0.0.1").as_bytes(), number)));
    }
    let mined = mine(&sketch, &Known::default());
    assert_eq!(texts(&mined), [("Invalid user <*> from <*>", 40_000)]);
    assert_eq!(mined.templates[0].example.cut, 0);
    assert!(slots.into_iter().all(|slot| mined.template_of(slot) == Some(0)));
}

#[test]
fn memory_has_bounds_whatever_is_read() {
    let mut random = fastrand::Rng::with_seed(6);
    let mut sketch = Sketch::default();
    for number in 0..60_000 {
        let text: Vec<u8> = (0..random.usize(..300)).map(|_| random.u8(..)).collect();
        sketch.add(line(&text, number));
    }
    assert!(sketch.kept() <= (8000, 2 << 20), "{:?}", sketch.kept());
    let mined = mine(&sketch, &Known::default());
    let sum: u64 = mined.templates.iter().map(|template| template.count.count).sum();
    assert_eq!(sum, 60_000);
    assert!(mined.templates.iter().any(|template| template.text == "(other)"));
}

#[test]
fn odd_lines_are_lines() {
    let deep = format!("{{\"a\":{}", "{\"a\":".repeat(100_000));
    let names = format!("{{\"{}\":1}}", "n".repeat(10_000));
    let odd: [&[u8]; 16] = [
        b"",
        b" ",
        b"\0",
        b"\0\0x\0",
        b"\xff\xfe\xfd",
        b"\x1b[",
        b"\x1b[31",
        b"{",
        b"{\"",
        b"[[[[[[",
        b"((((()))))",
        b"\"\"\"\"\"",
        b"= = = =",
        b"<*> <*> <*>",
        deep.as_bytes(),
        names.as_bytes(),
    ];
    let long = [b"x".repeat(1 << 20), b"7 ".repeat(1 << 19), b"a=b,".repeat(10_000), "é".repeat(1 << 19).into_bytes()];
    let mut sketch = Sketch::default();
    let mut slots = Vec::new();
    for (number, text) in odd.iter().copied().chain(long.iter().map(Vec::as_slice)).enumerate() {
        slots.push(sketch.add(line(text, number)));
        sketch.add(Line { stamp_end: 5, fields: 4, ..line(text, number) });
    }
    let mined = mine(&sketch, &Known::default());
    assert!(slots.into_iter().all(|slot| mined.template_of(slot).is_some()));
    assert!(mined.templates.iter().all(|template| template.text.len() < 4096));
}

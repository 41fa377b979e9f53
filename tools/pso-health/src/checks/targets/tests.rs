use pso_common::io::Env;

use super::*;

fn resolve(text: &str) -> anyhow::Result<Targets> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Section {
        targets: Vec<TargetSection>,
    }

    impl pso_common::config::ToolSection for Section {
        const NAME: &'static str = "health";
    }

    let mut env = Env::default();
    env.set("TOKEN", "correct-horse-battery");
    let text = format!("maintenance:\n  health:\n    targets:\n{text}");
    let config = Config::from_text("c.yaml", text, env)?;
    let section: Section = config.section()?;
    let targets = Targets::resolve(&config, &section.targets, Vec::new(), &Paths::resolve(&config)?)?;
    let shown = format!("{:?}", config.effective());
    assert!(!shown.contains("correct-horse-battery"), "{shown}");
    Ok(targets)
}

fn abouts(text: &str) -> Vec<(String, String)> {
    let targets = resolve(text).expect("valid");
    targets.checks.iter().map(|check| (check.name().to_owned(), check.about().into_owned())).collect()
}

fn error(text: &str) -> String {
    resolve(text).map_or_else(|error| format!("{error:#}"), |_| "no error".to_owned())
}

#[test]
fn targets_have_names_and_show_no_secret() {
    let found = abouts(
        "      - http: 'https://me:${TOKEN}@wiki.example/status?key=${TOKEN}'\n        name: wiki\n        \
         status: [200, 204]\n        headers: {Authorization: 'Bearer ${TOKEN}'}\n        contains: up\n      \
         - {tcp: 'mail.example:25', timeout: 500ms, retries: 2}\n      - {tcp: '[::1]:993', tls: true}\n      \
         - command: [/usr/lib/nagios/check_disk, -w, '10%']\n      - {command: 'true', name: nothing}\n",
    );
    let found: Vec<_> = found.iter().map(|(name, about)| (name.as_str(), about.as_str())).collect();
    let expected = [
        ("http.wiki", "GET https://***@wiki.example/status?***: answers 200 or 204, with the right things in its body"),
        ("tcp.mail.example:25", "whether mail.example:25 takes connections"),
        ("tcp.[::1]:993", "whether [::1]:993 takes connections, and speaks TLS with a trusted certificate"),
        (
            "command.check_disk",
            "what /usr/lib/nagios/check_disk -w 10% says (a Nagios plugin's exit code, text and numbers)",
        ),
        ("command.nothing", "what true says (a Nagios plugin's exit code, text and numbers)"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn tls_ports_are_known() {
    let targets = resolve(
        "      - {http: 'https://a.example/x', ca_file: ca.pem}\n      - {http: 'http://b.example'}\n      \
         - {tcp: 'c.example:1'}\n",
    );
    // There is no such file.
    assert!(targets.is_err());
    let targets = resolve("      - http: https://a.example/x\n      - {http: 'http://b.example'}\n").expect("valid");
    let address = pso_common::net::Address { host: "a.example".to_owned(), port: 443 };
    assert_eq!(targets.secure, [SecurePort { owner: "http.a.example:443".to_owned(), address, ca_file: None }]);
}

#[test]
fn what_makes_no_sense_is_told_with_its_place() {
    for (text, expected) in [
        ("{name: x}", "targets[1]: a target has one of http, tcp and command"),
        ("{http: 'http://h', tcp: 'h:1'}", "targets[1]: a target has one of http, tcp and command"),
        ("{http: 'h:1'}", "c.yaml:4: maintenance.health.targets[1].http: expected a URL such as"),
        ("{http: 'ftp://h'}", "expected a URL such as"),
        ("{tcp: 'h'}", "tcp: expected HOST:PORT"),
        ("{http: 'http://h', tls: true}", "tls means nothing for http"),
        ("{tcp: 'h:1', contains: x}", "contains means nothing for tcp"),
        ("{tcp: 'h:1', ca_file: ca.pem}", "ca_file means nothing for tcp without tls"),
        ("{command: 'true', max_ms: 3}", "max_ms means nothing for command"),
        ("{http: 'http://h', method: POST}", "expected GET or HEAD"),
        ("{http: 'http://h', method: head, contains: x}", "an answer to HEAD has no body"),
        ("{http: 'http://h', status: -200}", "-200 is no status of HTTP"),
        ("{http: 'http://h', name: \"a\\u202eb\"}", "a target's name has 1 to 80 characters"),
        ("{http: 'http://h', status: 99}", "statuses from 100 to 599"),
        ("{http: 'http://h', status: []}", "statuses from 100 to 599"),
        ("{http: 'http://h', status: 99999}", "99999 is no status of HTTP"),
        ("{http: 'http://h', headers: {'a b': x}}", "\"a b\" is no name of a header"),
        ("{http: 'http://h', headers: {a: {}}}", "expected a text, or {file: PATH}"),
        ("{http: 'http://h', headers: {a: {file: /no/such}}}", "/no/such"),
        ("{http: 'http://h', headers: {a: \"x\\r\\nb: c\"}}", "a line break or the like"),
        ("{http: 'http://h', name: 'a,b'}", "without commas"),
        ("{http: 'http://h', timeout: 2h}", "between 1ms and 1h"),
        ("{http: 'http://h', retries: 11}", "not be more than 10"),
        ("{http: 'http://h', expect: 200}", "c.yaml:4: unknown field `expect`"),
        ("{http: 'http://h', json: {a: [1]}}", "c.yaml:4"),
    ] {
        let error = error(&format!("      - {text}\n"));
        assert!(error.contains(expected), "{text}: {error}");
    }
    let twice = "      - {tcp: 'h:1', name: x}\n      - {tcp: 'h:2', name: x}\n";
    assert!(error(twice).contains("targets[2]: there are two targets tcp.x"), "{}", error(twice));
    // Of different kinds they are not the same.
    assert_eq!(abouts("      - {tcp: 'h:1', name: x}\n      - {http: 'http://h', name: x}\n").len(), 2);
}

#[test]
fn a_record_shows_a_command_without_its_arguments() {
    for (words, shown) in [
        (vec!["/usr/lib/check", "--password=secret", "-a", "u:secret"], "/usr/lib/check"),
        (vec!["/opt/a=b/check", "secret"], "/opt/a=b/check"),
        (vec!["TOKEN=secret check -v"], "check"),
        (vec!["TOKEN=secret"], ""),
    ] {
        let words = words.into_iter().map(str::to_owned).collect();
        let command = pso_common::config::CommandLine::program(words).expect("a program");
        assert_eq!(program(&command), shown);
    }
}

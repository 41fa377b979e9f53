//! What people are told by hand.

use super::{Deployment, Shell};

#[test]
fn a_message_reaches_people_whatever_it_says() {
    let deployment = Deployment::start("script_send");
    let mut sent = 0;
    for shell in Shell::all() {
        for (message, severity, said) in [
            ("High error count detected", "High", "HIGH"),
            ("disk of \"db 1\" & $HOME at 91 %", "Critical", "CRITICAL"),
            ("--severity is no flag here", "Warning", "WARNING"),
        ] {
            let outcome = deployment.run(shell, "send-alert", &[("message", message), ("severity", severity)]);
            assert_eq!(outcome.code, Some(0), "{outcome}");
            sent += 1;
            let told = deployment.webhook.wait_for(sent, crate::parts::LIMIT).expect("a notice");
            let text = told.last().expect("a notice").text();
            let plain = message.replace('"', "\\\"").replace('&', "&amp;");
            assert!((text.contains(message) || text.contains(&plain)) && text.contains(said), "{text}");
        }
    }
    let outcome = deployment.script(Shell::Bash, "send-alert", &[("message", "x"), ("severity", "Loud")]).run();
    let outcome = outcome.expect("ends");
    outcome.assert_stderr_has("Loud");
    assert_eq!(outcome.code, Some(3), "{outcome}");
}

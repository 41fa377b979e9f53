//! The CronJobs against the schema of the API, strictly: a key that it does not know is a fault.

use std::path::Path;

use serde_json::Value;

use super::{SCHEDULED, assert_runs, read};

/// The documents of the file; the first one is comments only.
fn jobs() -> Vec<Value> {
    let text = read("kubernetes.yaml");
    let documents = text.split("\n---\n").skip(1);
    documents.map(|document| serde_saphyr::from_str(document).expect("YAML")).collect()
}

fn validator() -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kubernetes-cronjob.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).expect("readable")).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

#[test]
fn every_cronjob_is_what_the_api_takes() {
    let validator = validator();
    let jobs = jobs();
    assert_eq!(jobs.len(), 4);
    for job in &jobs {
        let faults: Vec<String> =
            validator.iter_errors(job).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(faults, [""; 0]);
    }
    for (pointer, wrong) in [
        ("/spec/concurrencyPolicy", Value::from(1)),
        ("/spec/jobTemplate/spec/template/spec/containers/0/securityContext", serde_json::json!({"readonly": true})),
        ("/spec/jobTemplate/spec/template/spec/containers/0/image", serde_json::json!(["a"])),
        ("/kind", Value::from("CronTab")),
    ] {
        let mut job = jobs[0].clone();
        *job.pointer_mut(pointer).expect("there") = wrong;
        assert!(!validator.is_valid(&job), "{pointer} was not seen");
    }
}

#[test]
fn every_cronjob_runs_a_script_that_takes_its_flags_alone_and_without_rights() {
    let mut scripts = Vec::new();
    for job in jobs() {
        // The schema has these as any string.
        assert_eq!(job["spec"]["concurrencyPolicy"], "Forbid");
        let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        assert_eq!(pod["restartPolicy"], "Never");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["automountServiceAccountToken"], false);
        let container = &pod["containers"][0];
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(container["securityContext"]["capabilities"]["drop"], serde_json::json!(["ALL"]));
        assert_eq!(container["workingDir"], "/srv/planning");
        // Secrets come from a Secret, and from nowhere else.
        assert_eq!(container["envFrom"], serde_json::json!([{"secretRef": {"name": "pso"}}]));
        for variable in container["env"].as_array().expect("variables") {
            assert_eq!(variable["name"], "PSO_HEALTH_STATE");
        }
        // What is mounted is there to be mounted.
        let volumes: Vec<&str> =
            pod["volumes"].as_array().expect("volumes").iter().filter_map(|volume| volume["name"].as_str()).collect();
        for mount in container["volumeMounts"].as_array().expect("mounts") {
            assert!(volumes.contains(&mount["name"].as_str().expect("a name")), "{mount}");
        }
        let command = container["command"].as_array().expect("a command");
        let words: Vec<&str> = command.iter().map(|word| word.as_str().expect("text")).collect();
        scripts.push(assert_runs(&words));
    }
    scripts.sort();
    assert_eq!(scripts, SCHEDULED);
}

//! The process that does the work, as the benchmark talks to it.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Sends the requests to a worker with a small network; gives its answers.
fn ask(mode: &str, requests: &str) -> Vec<Value> {
    let case = format!(
        "worker --arch resnet8 --attention manet --mode {mode} --batch 2 --size 8 --classes 3"
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_abn-bench"))
        .args(case.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(requests.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_request_is_answered_by_a_line() {
    for mode in ["train", "infer"] {
        let answers = ask(mode, "warm 0.01\ngo\nmemory\n");
        let [ready, warm, repetition, _memory] = answers.as_slice() else {
            panic!("{answers:?}")
        };
        assert!(ready["parameters"].as_u64().unwrap() > 70_000, "{ready}");
        assert!(ready["instructions"].is_string(), "{ready}");
        assert!(warm.is_null());
        let images = repetition["images"].as_u64().unwrap();
        assert!(
            images > 0 && images % 2 == 0 && repetition["seconds"].as_f64().unwrap() > 0.0,
            "{repetition}"
        );
    }
}

#[test]
fn a_check_leaves_what_the_peer_needs() {
    for (mode, losses) in [("train", 3), ("infer", 0)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights.safetensors");
        let answers = ask(mode, &format!("check {}\n", file.display()));
        let count = |name: &str| answers[1][name].as_array().unwrap().len();
        let counts = ["logits", "attention", "map", "losses"].map(count);
        assert_eq!(counts, [6, 6, 2 * 4 * 4, losses], "{mode}");
        let weights = std::fs::read(file).unwrap();
        for name in [
            "images",
            "att_layer3.0.conv1.weight",
            "mixed.spatial.conv.weight",
        ] {
            let mut places = weights.windows(name.len());
            assert!(places.any(|bytes| bytes == name.as_bytes()), "{name}");
        }
    }
}

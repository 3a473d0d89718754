//! Which steps there are, what the device turns out to be considered.

use std::collections::VecDeque;
use std::env::consts::EXE_SUFFIX;

use serde_json::Value;

use super::record::Record;

/// Where it is compiled, as `device-check` does: other features would compile Burn anew.
const TARGET: &str = "target/device";
/// What is measured on a GPU.
const MEASURED: [&str; 5] = [
    "resnet20 abn batch 128 ",
    "resnet20 abn batch 512 ",
    "wrn-28-10 abn batch 128 ",
    "resnet50 abn batch 64 ",
    "resnet50 abn batch 128 ",
];
const PRECISIONS: [&str; 3] = ["f32", "bf16", "f16"];
/// What is measured by both compilers of CUDA.
const COMPARED: [&str; 2] = [MEASURED[0], MEASURED[3]];
/// What a driver that computes on the processor is given.
const SMALL: &str = "resnet8 abn batch 8 ";

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Of its file.
    pub(super) name: String,
    pub(super) title: String,
    pub(super) command: Vec<String>,
    /// Whether nothing can follow where it fails.
    pub(super) is_needed: bool,
}

impl Step {
    fn new(name: &str, title: &str, command: String) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            command: words(&command),
            is_needed: false,
        }
    }

    /// The command as it is typed into a shell.
    pub(super) fn typed(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,".contains(c);
        let word = |word: &String| match word.chars().all(plain) {
            true => word.clone(),
            false => format!("'{word}'"),
        };
        let words: Vec<String> = self.command.iter().map(word).collect();
        words.join(" ")
    }

    fn needed(self) -> Self {
        Self {
            is_needed: true,
            ..self
        }
    }
}

/// The words of a command, in which a space within one is written as `~`.
fn words(command: &str) -> Vec<String> {
    let words = command.split(' ');
    words.map(|word| word.replace('~', " ")).collect()
}

/// What is known before anything is tried.
pub(super) struct Given {
    pub(super) device: String,
    /// Whether it is a driver that computes on the processor.
    pub(super) rehearse: bool,
    /// Whether CIFAR-10 lies where it is looked for.
    pub(super) has_cifar10: bool,
    /// Where the training goes.
    pub(super) training: String,
}

impl Given {
    /// The features of a build. A driver on the processor would be tuned for hours.
    fn features(&self, nvrtc: bool) -> String {
        let backend = self.device.split(':').next().unwrap_or(&self.device);
        match (self.rehearse, nvrtc) {
            (true, _) => "wgsl".to_owned(),
            (false, false) => backend.to_owned(),
            (false, true) => format!("{backend},nvrtc"),
        }
    }
}

/// The steps that are still to come.
pub(super) struct Plan {
    given: Given,
    steps: VecDeque<Step>,
    /// Whether what follows from the device is among the steps.
    is_whole: bool,
}

impl Plan {
    /// Of a device that nothing is known of but its name.
    pub(super) fn new(given: Given) -> Self {
        let build = Step::new("build", "Build", build(&given.features(false)));
        let devices = format!("{} devices --json", program("abn"));
        let devices = Step::new("devices", "Devices", devices);
        Self {
            given,
            steps: [build.needed(), devices.needed()].into(),
            is_whole: false,
        }
    }

    /// The next step, after what the last ones found.
    pub(super) fn next(&mut self, records: &[Record]) -> Option<Step> {
        if self.steps.is_empty() && !self.is_whole {
            self.is_whole = true;
            let listed = records.last().map_or("", |record| record.output.as_str());
            let precisions = precisions(listed, &self.given.device);
            self.steps = steps_for(&self.given, &precisions).into();
        }
        self.steps.pop_front()
    }
}

/// The numbers that a device computes with, of what `abn devices --json` lists.
fn precisions(listed: &str, device: &str) -> Vec<String> {
    let listed: Value = serde_json::from_str(listed).unwrap_or_default();
    let all = listed["devices"].as_array().cloned().unwrap_or_default();
    let full = match device.contains(':') {
        true => device.to_owned(),
        false => format!("{device}:0"),
    };
    let own = all.into_iter().find(|found| found["device"] == full);
    let own = own.unwrap_or_default()["precisions"].clone();
    let names = own.as_array().into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn steps_for(given: &Given, precisions: &[String]) -> Vec<Step> {
    let Given {
        device,
        rehearse,
        has_cifar10,
        training,
    } = given;
    let (abn, bench) = (program("abn"), program("abn-bench"));
    let mut steps = vec![
        Step::new(
            "layers",
            "Every kind of layer beside the CPU",
            format!("{abn} devices --check --device {device}"),
        ),
        Step::new(
            "check",
            "Training, a kill, maps: beside the CPU",
            match rehearse {
                // It is what device-check takes without a name.
                true => "cargo run --quiet --package xtask -- device-check".to_owned(),
                false => {
                    format!("cargo run --quiet --package xtask -- device-check --device {device}")
                }
            },
        ),
    ];
    if precisions.is_empty() {
        // It is not there, and the first step says why.
        steps.truncate(1);
        return steps;
    }
    let measured: &[&str] = match rehearse {
        true => &[SMALL],
        false => &MEASURED,
    };
    let speed = |only: &str, precision: &str, by: &str| {
        let only = only.replace(' ', "~");
        let command = format!(
            "{bench} large --quick --device {device} --precision {precision} --only {only}"
        );
        let of = only.replace('~', " ");
        let (title, short) = (format!("Speed, {of}{precision}{by}"), of.replace(' ', "-"));
        let by = by.replace([' ', ','], "-");
        Step::new(&format!("speed-{short}{precision}{by}"), &title, command)
    };
    // The usual ones first, for the time may be over before all are measured.
    let usual = PRECISIONS
        .iter()
        .filter(|precision| precisions.iter().any(|has| has == *precision));
    for precision in usual {
        steps.extend(measured.iter().map(|only| speed(only, precision, "")));
    }
    let only = measured[0].replace(' ', "~");
    steps.push(Step::new(
        "profile",
        "A step, kernel by kernel",
        format!("{bench} profile --device {device} --only {only}"),
    ));
    let (title, images) = match (rehearse, has_cifar10) {
        (true, _) => (
            "An epoch of a few built-in images",
            "shapes --arch resnet8 --limit 32 --batch-size 8 --epochs 1",
        ),
        (false, true) => (
            "Ten epochs of CIFAR-10",
            "cifar10 --arch resnet20 --epochs 10",
        ),
        (false, false) => (
            "Ten epochs of the built-in images, for CIFAR-10 is not there",
            "shapes --arch resnet20 --epochs 10",
        ),
    };
    steps.push(Step::new(
        "training",
        title,
        format!("{abn} train --dataset {images} --device {device} --out {training}"),
    ));
    if device.starts_with("cuda") {
        let build = build(&given.features(true));
        steps.push(Step::new("build-nvrtc", "Build with NVRTC", build));
        steps.extend(COMPARED.map(|only| speed(only, "f32", ", NVRTC")));
    }
    steps
}

fn build(features: &str) -> String {
    let slow = match features {
        // As in device-check: the driver compiles the kernels.
        "wgsl" => " --config profile.dev.package.\"*\".opt-level=1",
        _ => "",
    };
    format!(
        "cargo build --package abn-train --package abn-bench --features {features} --target-dir \
         {TARGET}{slow}"
    )
}

fn program(name: &str) -> String {
    format!("{TARGET}/debug/{name}{EXE_SUFFIX}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = r#"{"devices": [
        {"device": "cuda:0", "software": false, "precisions": ["f32", "f64", "bf16"]},
        {"device": "wgpu:0", "software": true, "precisions": ["f32", "f16"]}
    ]}"#;

    fn names(device: &str, rehearse: bool) -> Vec<String> {
        let given = Given {
            device: device.to_owned(),
            rehearse,
            has_cifar10: false,
            training: "training".to_owned(),
        };
        let steps = steps_for(&given, &precisions(LISTED, device));
        steps.into_iter().map(|step| step.name).collect()
    }

    #[test]
    fn a_gpu_is_measured_in_each_precision_and_by_both_compilers() {
        let names = names("cuda", false);
        let has = |name: &str| names.iter().any(|found| found == name);
        assert!(has("speed-resnet50-abn-batch-128-bf16"), "{names:?}");
        assert!(has("speed-resnet20-abn-batch-128-f32--NVRTC"), "{names:?}");
        let mut once = names.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), names.len());
    }

    #[test]
    fn commands_can_be_typed() {
        let step = Step::new(
            "speed",
            "Speed",
            "abn-bench large --only batch~8~".to_owned(),
        );
        assert_eq!(step.command[3], "batch 8 ");
        assert_eq!(step.typed(), "abn-bench large --only 'batch 8 '");
    }

    #[test]
    fn of_a_device_that_is_not_there_nothing_is_measured() {
        assert_eq!(names("metal", false), ["layers"]);
    }

    #[test]
    fn a_rehearsal_is_small() {
        assert_eq!(
            names("wgpu", true),
            [
                "layers",
                "check",
                "speed-resnet8-abn-batch-8-f32",
                "speed-resnet8-abn-batch-8-f16",
                "profile",
                "training"
            ]
        );
    }
}

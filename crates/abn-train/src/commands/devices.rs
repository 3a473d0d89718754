//! `abn devices`: what this build can compute on, and whether it computes as the CPU does.

use abn_core::Architecture;
use abn_core::architecture::AttentionName;
use abn_core::state::state_of;
use abn_data::Labels;
use abn_explain::columns::columns;
use abn_run::datasets::SHAPES;
use abn_run::recipe::{Recipe, RunConfig};
use abn_run::self_check::{built_in_images, compare};
use anyhow::{Result, ensure};
use burn::tensor::Device;
use serde::Serialize;

use crate::cli::DevicesArgs;
use crate::device::check::words;
use crate::device::{self, Backend, Found, TunedKernels};
use crate::terminal;

/// Networks that together have every kind of layer.
const NETWORKS: [(&str, AttentionName); 8] = [
    ("resnet8", AttentionName::Abn),
    ("resnet8", AttentionName::Manet),
    ("wrn-10-1", AttentionName::Abn),
    ("densenet-bc-10-12", AttentionName::Abn),
    ("resnext11-2x8d", AttentionName::Abn),
    ("se-resnet8", AttentionName::Abn),
    ("cbam-resnet8", AttentionName::None),
    ("resnet18", AttentionName::Manet),
];
/// Classes of the networks that are compared.
const CLASSES: usize = 8;

/// What the command prints as JSON.
#[derive(Debug, Serialize)]
struct Devices {
    /// What is there, the preferred first.
    devices: Vec<Found>,
    /// What is not, and why.
    absent: Vec<Absent>,
    /// Where the fastest kernels are kept, in a build that looks for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    kernels: Option<TunedKernels>,
}

#[derive(Debug, Serialize)]
struct Absent {
    backend: &'static str,
    compiled: bool,
    reason: String,
}

/// Runs the command.
///
/// # Errors
/// There is no such device, or with `--check` it computes something else than the CPU.
pub fn run(args: &DevicesArgs) -> Result<()> {
    if args.check {
        return check(args);
    }
    let mut listed = Devices {
        devices: vec![],
        absent: vec![],
        kernels: device::tuned_kernels(),
    };
    for backend in Backend::ALL {
        let found = device::found(backend);
        if found.is_empty() {
            listed.absent.push(Absent {
                backend: backend.name(),
                compiled: backend.is_compiled(),
                reason: match backend.is_compiled() {
                    true => device::why_absent(backend).to_owned(),
                    false => format!("not in this build: --features {}", backend.feature()),
                },
            });
        }
        listed.devices.extend(found);
    }
    if args.json {
        return terminal::json(&listed);
    }
    print(&listed)
}

fn print(listed: &Devices) -> Result<()> {
    let best = device::choose(None)?.to_string();
    let row = |found: &Found| {
        let software = if found.software {
            " (on the processor)"
        } else {
            ""
        };
        vec![
            match found.device == best {
                true => format!("{} *", found.device),
                false => found.device.clone(),
            },
            format!("{}{software}", found.name),
            found.memory.map_or_else(unknown, gibibytes),
            found.driver.clone().unwrap_or_else(unknown),
            found.precisions.join(" "),
        ]
    };
    let names = ["device", "name", "memory", "driver", "computes with"]
        .map(str::to_owned)
        .to_vec();
    let rows = listed.devices.iter().map(row).collect();
    terminal::result(&columns(names, rows, 5))?;
    terminal::result("* without --device")?;
    for Absent {
        backend, reason, ..
    } in &listed.absent
    {
        terminal::result(&format!("no {backend}: {reason}"))?;
    }
    if let Some(TunedKernels { file, unusable }) = &listed.kernels {
        let state = match unusable {
            None => String::new(),
            Some(reason) => format!(", which cannot be used: {reason}"),
        };
        terminal::result(&format!(
            "the fastest kernels of each shape are kept in {}{state}",
            file.display()
        ))?;
    }
    Ok(())
}

/// What is not known, or not there.
fn unknown() -> String {
    "-".to_owned()
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

/// Compares every kind of layer with the CPU.
fn check(args: &DevicesArgs) -> Result<()> {
    let name = device::choose(args.device.as_deref())?;
    let device = device::open(Some(&name.to_string()))?;
    let cpu = device::for_bookkeeping()?;
    ensure!(
        !device::computes_as_the_cpu(&device),
        "`{name}` is the CPU, which is what other devices are compared with: name one by --device"
    );
    let mut wrong = 0;
    for (architecture, attention) in NETWORKS {
        let (line, is_right) = compared(architecture, attention, [&cpu, &device])?;
        wrong += usize::from(!is_right);
        terminal::result(&line)?;
    }
    ensure!(
        wrong == 0,
        "`{name}` does not compute what the CPU computes in {wrong} of {} networks",
        NETWORKS.len()
    );
    Ok(())
}

/// A line about a network, and whether both devices agree.
fn compared(
    architecture: &str,
    attention: AttentionName,
    devices: [&Device; 2],
) -> Result<(String, bool)> {
    let recipe = Recipe {
        architecture: architecture.to_owned(),
        attention: Architecture::parse(architecture)?.attention(attention),
        ..Recipe::of(&SHAPES, None)
    };
    let classes = (0..CLASSES).map(|class| class.to_string()).collect();
    let config = RunConfig::new(recipe, Labels::one(classes))?;
    let weights = state_of(&config.model.init_seeded(0, devices[0]));
    let found = compare(&config, &weights, &built_in_images(&config)?, devices, true)?;
    let verdict = match found.refused().next() {
        None => "right".to_owned(),
        Some(worst) => format!("WRONG, {}", worst.of),
    };
    let title = format!("{architecture} {}", attention.name());
    let line = format!("{title:<24} {}: {verdict}", words(&found));
    Ok((line, found.refused().next().is_none()))
}

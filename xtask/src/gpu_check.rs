//! `cargo xtask gpu-check`: all that is to be found out on a GPU, in one call and one report.
//!
//! Each step is a command. What it printed is kept in a file of its own, so a call that was ended
//! goes on where it was; only what failed is tried again.

mod plan;
mod record;

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use self::plan::{Given, Plan, Step};
use self::record::{Outcome, Record, report};

const USAGE: &str =
    "usage: cargo xtask gpu-check [--device NAME | --rehearse] [--minutes N] [--anew]

Builds for a GPU, compares it with the CPU, trains, measures and profiles there, and writes
target/gpu-check/NAME/report.md. Without a network it needs what cargo has fetched before.

  --device NAME   cuda, vulkan, metal or wgpu, of several the second as cuda:1; cuda if left out
  --rehearse      all of it with a small network on a driver that computes on the processor, such as
                  lavapipe of Mesa
  --minutes N     what does not fit into this time is left out; 25 if left out
  --anew          forget what an earlier call found out";

const BACKENDS: [&str; 4] = ["cuda", "metal", "vulkan", "wgpu"];
/// Where everything of it lies.
const FOLDER: &str = "target/gpu-check";
const MINUTES: u64 = 25;
/// Last lines of a step that failed, for the report.
const SAID: usize = 20;
const CIFAR10: &str = "datasets/cifar-10-batches-bin";

/// What was typed.
struct Options {
    device: String,
    rehearse: bool,
    minutes: u64,
    anew: bool,
}

/// Does what is still to do, and writes the report.
pub(crate) fn run(root: &Path, arguments: impl Iterator<Item = String>) -> Result<()> {
    let Some(options) = parse(arguments)? else {
        println!("{USAGE}");
        return Ok(());
    };
    let relative = format!("{FOLDER}/{}", options.device.replace(':', "-"));
    let folder = root.join(&relative);
    if options.anew && folder.exists() {
        fs::remove_dir_all(&folder).context("what an earlier call found cannot be removed")?;
    }
    fs::create_dir_all(&folder)?;
    let check = Check {
        root,
        commit: commit(root),
        budget: Duration::from_secs(60 * options.minutes),
        folder,
        relative,
    };
    let mut plan = Plan::new(Given {
        has_cifar10: root.join(CIFAR10).is_dir(),
        training: format!("{}/training-{}", check.relative, check.commit),
        device: options.device.clone(),
        rehearse: options.rehearse,
    });
    let mut records = Vec::new();
    while let Some(step) = plan.next(&records) {
        let record = check.done_before(&step).map_or_else(
            || check.take(&step, &records),
            |record| {
                println!("gpu-check: {} (done before)", step.title);
                Ok(record)
            },
        )?;
        let needed = step.is_needed && !record.outcome.is_good();
        records.push(record);
        check.write_report(&options.device, &records)?;
        if needed {
            bail!(
                "nothing more can be found out; {}",
                check.report().display()
            );
        }
    }
    println!("gpu-check: {}", check.report().display());
    let failed = records.iter().filter(|record| record.outcome.is_bad());
    match failed.count() {
        0 => Ok(()),
        count => bail!("{count} steps failed; the report says which"),
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>> {
    let mut options = Options {
        device: "cuda".to_owned(),
        rehearse: false,
        minutes: MINUTES,
        anew: false,
    };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => return Ok(None),
            "--anew" => options.anew = true,
            "--rehearse" => {
                options.rehearse = true;
                options.device = "wgpu".to_owned();
            }
            "--device" => options.device = arguments.next().context(USAGE)?,
            "--minutes" => {
                let minutes = arguments.next().and_then(|text| text.parse().ok());
                options.minutes = minutes.context(USAGE)?;
            }
            _ => bail!("{USAGE}"),
        }
    }
    let (backend, index) = match options.device.split_once(':') {
        Some((backend, index)) => (backend, index),
        None => (&options.device[..], "0"),
    };
    ensure!(
        BACKENDS.contains(&backend) && index.parse::<usize>().is_ok(),
        "`{}` is no device of a GPU\n\n{USAGE}",
        options.device
    );
    Ok(Some(options))
}

struct Check<'a> {
    root: &'a Path,
    commit: String,
    budget: Duration,
    folder: PathBuf,
    /// The same below the root.
    relative: String,
}

impl Check<'_> {
    fn file(&self, step: &Step) -> PathBuf {
        self.folder.join(format!("{}.json", step.name))
    }

    fn report(&self) -> PathBuf {
        self.folder.join("report.md")
    }

    /// What this very program found in an earlier call, unless it failed.
    fn done_before(&self, step: &Step) -> Option<Record> {
        let text = fs::read_to_string(self.file(step)).ok()?;
        let record = Record::of_json(&serde_json::from_str(&text).ok()?)?;
        let is_this = record.commit == self.commit && record.command == step.typed();
        (is_this && record.outcome.is_good()).then_some(record)
    }

    /// Takes a step, if there is time for it.
    fn take(&self, step: &Step, records: &[Record]) -> Result<Record> {
        let spent: u64 = records.iter().map(|record| record.seconds).sum();
        let left = self.budget.saturating_sub(Duration::from_secs(spent));
        let mut record = Record {
            title: step.title.clone(),
            commit: self.commit.clone(),
            command: step.typed(),
            outcome: Outcome::NoTime,
            seconds: 0,
            output: String::new(),
        };
        if left.is_zero() {
            println!("gpu-check: {}: no time left", step.title);
            return Ok(record);
        }
        println!("gpu-check: {}", step.title);
        println!("gpu-check: {}", record.command);
        let started = Instant::now();
        let (outcome, output) = self.output_of(step, left)?;
        record.seconds = started.elapsed().as_secs();
        (record.outcome, record.output) = (outcome, output);
        println!("{}", record.output);
        println!(
            "gpu-check: {} after {} s",
            record.outcome.words(),
            record.seconds
        );
        write(&self.file(step), &format!("{:#}", record.to_json()))?;
        Ok(record)
    }

    /// What a command prints, and how it ends; one that takes too long is ended.
    fn output_of(&self, step: &Step, limit: Duration) -> Result<(Outcome, String)> {
        let [program, arguments @ ..] = &step.command[..] else {
            bail!("a step without a command");
        };
        let mut command = match program.as_str() {
            "cargo" => Command::new(env!("CARGO")),
            name => Command::new(self.root.join(name)),
        };
        command.args(arguments).current_dir(self.root);
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Ok((Outcome::Failed, error.to_string())),
        };
        let printed = child.stdout.take().map(|pipe| thread::spawn(|| kept(pipe)));
        let said = child.stderr.take().map(|pipe| thread::spawn(|| told(pipe)));
        let outcome = wait(&mut child, limit)?;
        let printed = printed.and_then(|thread| thread.join().ok());
        let said = said.and_then(|thread| thread.join().ok());
        let mut output = printed.unwrap_or_default();
        if outcome.is_bad() {
            output += &said.unwrap_or_default();
        }
        Ok((outcome, output.trim_end().to_owned()))
    }

    fn write_report(&self, device: &str, records: &[Record]) -> Result<()> {
        write(&self.report(), &report(device, &self.commit, records))
    }
}

/// Everything that comes out of a pipe.
fn kept(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Passes the lines of a pipe on to the terminal, and keeps the last ones: they say what failed.
fn told(pipe: impl Read) -> String {
    let mut last = VecDeque::new();
    for line in BufReader::new(pipe)
        .split(b'\n')
        .map_while(|line| line.ok())
    {
        let line = String::from_utf8_lossy(&line).into_owned();
        eprintln!("{line}");
        if last.len() == SAID {
            last.pop_front();
        }
        last.push_back(line);
    }
    last.into_iter().map(|line| line + "\n").collect()
}

fn wait(child: &mut Child, limit: Duration) -> Result<Outcome> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(match status.success() {
                true => Outcome::Done,
                false => Outcome::Failed,
            });
        }
        if started.elapsed() > limit {
            end_children_of(child.id());
            child.kill().and_then(|()| child.wait())?;
            return Ok(Outcome::Ended);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Ends what a process started, and what that started: a build or a training would go on beside the
/// next step.
fn end_children_of(process: u32) {
    let mut list = Command::new("pgrep");
    let listed = list.args(["-P", &process.to_string()]).output();
    let listed = listed.map(|found| found.stdout).unwrap_or_default();
    for child in String::from_utf8_lossy(&listed)
        .lines()
        .filter_map(|line| line.parse().ok())
    {
        end_children_of(child);
        let _ = Command::new("kill")
            .args(["-KILL", &child.to_string()])
            .status();
    }
}

/// Writes it under another name first: what lies under its own is whole.
fn write(path: &Path, text: &str) -> Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, text).with_context(|| part.display().to_string())?;
    fs::rename(&part, path).with_context(|| path.display().to_string())
}

/// What is checked, changes that are not committed included.
fn commit(root: &Path) -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"])
        .current_dir(root);
    let output = git.output().ok().filter(|output| output.status.success());
    output.map_or_else(String::new, |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_ends_with_all_that_it_started() {
        let mut command = Command::new("sh");
        command.args(["-c", "sh -c 'sleep 60; true'; true"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let pipe = child.stdout.take().unwrap();
        let started = Instant::now();
        let outcome = wait(&mut child, Duration::from_millis(300)).unwrap();
        assert_eq!(outcome, Outcome::Ended);
        // Whoever lives still holds the pipe.
        kept(pipe);
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}

//! `abn data fetch`: published data sets come to their places.

use std::path::PathBuf;

use abn_fetch::{
    ALL, Event, FetchError, Fetched, How, Network, Options, PublishedSet, Stage, Watch, fetch,
};
use abn_run::datasets::folder_of_all;
use anyhow::{Context, Result, bail};
use indicatif::{HumanBytes, ProgressBar};
use serde::Serialize;

use crate::cli::data::FetchArgs;
use crate::interrupt::Interrupt;
use crate::terminal;
use crate::train::trainer::Ending;

/// A file as JSON.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    file: &'a str,
    place: &'a PathBuf,
    new: bool,
    bytes: Option<u64>,
    sha256: Option<&'a str>,
    /// Whether a published checksum was compared.
    checked: bool,
}

/// Runs the command.
///
/// # Errors
/// There is no such set, it cannot be downloaded or is not what was published, or the folder
/// cannot be written.
pub(super) fn run(args: &FetchArgs) -> Result<Ending> {
    if args.names.is_empty() {
        list(args.json)?;
        return Ok(Ending::Finished);
    }
    let sets = args.names.iter().map(|name| named(name));
    let sets: Vec<&PublishedSet> = sets.collect::<Result<_>>()?;
    if sets.len() > 1 && args.url.is_some() {
        bail!("--url is that of one data set; name one");
    }
    let folder = args.out.clone().unwrap_or_else(folder_of_all);
    let options = Options {
        mirror: args.url.clone(),
        network: Network::from_env(),
    };
    let interrupt = Interrupt::listen()?;
    let mut all = Vec::new();
    for set in sets {
        let mut display = Display::new();
        let mut report = |event: Event<'_>| display.show(event);
        let mut watch = Watch {
            report: &mut report,
            stop: &|| interrupt.requested(),
        };
        let fetched = fetch(set, &folder, &options, &mut watch);
        display.bar.finish_and_clear();
        if matches!(fetched, Err(FetchError::Stopped { .. })) {
            terminal::note("stopped; the same command goes on from here");
            return Ok(Ending::Interrupted);
        }
        let fetched = fetched.with_context(|| failed(set))?;
        if !args.json {
            print(&fetched)?;
        }
        all.push((set, fetched));
    }
    if args.json {
        let files = all
            .iter()
            .flat_map(|(set, files)| files.iter().map(|file| line(set.name, file)));
        terminal::json(&files.collect::<Vec<Line>>())?;
    }
    Ok(Ending::Finished)
}

fn failed(set: &PublishedSet) -> String {
    format!(
        "{} cannot be fetched; --url takes it from elsewhere ({} describes it)",
        set.name, set.page
    )
}

fn named(name: &str) -> Result<&'static PublishedSet> {
    let known: Vec<&str> = ALL.iter().map(|set| set.name).collect();
    PublishedSet::named(name).with_context(|| {
        format!(
            "there is no data set `{name}`; there are {}",
            known.join(", ")
        )
    })
}

fn list(json: bool) -> Result<()> {
    if json {
        let names: Vec<&str> = ALL.iter().map(|set| set.name).collect();
        return terminal::json(&names);
    }
    let longest = ALL
        .iter()
        .map(|set| set.name.len())
        .max()
        .unwrap_or_default();
    for set in ALL {
        let size = set.bytes().map_or("size unknown".to_owned(), |bytes| {
            HumanBytes(bytes).to_string()
        });
        terminal::result(&format!("{:longest$}  {size:>12}  {}", set.name, set.about))?;
    }
    Ok(())
}

fn print(files: &[Fetched]) -> Result<()> {
    for file in files {
        let place = file.place.display();
        terminal::result(&match &file.how {
            How::AlreadyThere => format!("{place}: was there"),
            How::New { sums, checked, .. } => {
                let (size, name) = (HumanBytes(sums.bytes), file.file);
                match checked {
                    Some(_) => format!("{place}: {name}, {size}, as published"),
                    None => format!(
                        "{place}: {name}, {size}; no checksum is published, its SHA-256 is {}",
                        sums.sha256
                    ),
                }
            }
        })?;
    }
    Ok(())
}

fn line<'a>(name: &'a str, file: &'a Fetched) -> Line<'a> {
    let sums = match &file.how {
        How::AlreadyThere => None,
        How::New { sums, .. } => Some(sums),
    };
    Line {
        name,
        file: file.file,
        place: &file.place,
        new: sums.is_some(),
        bytes: sums.map(|sums| sums.bytes),
        sha256: sums.map(|sums| sums.sha256.as_str()),
        checked: matches!(
            file.how,
            How::New {
                checked: Some(_),
                ..
            }
        ),
    }
}

/// What is shown meanwhile.
struct Display {
    bar: ProgressBar,
    stage: Option<Stage>,
}

impl Display {
    fn new() -> Self {
        Self {
            bar: terminal::bytes(),
            stage: None,
        }
    }

    fn show(&mut self, event: Event<'_>) {
        match event {
            Event::Downloading { file, url, kept } => {
                let kept = match kept {
                    0 => String::new(),
                    kept => format!(", {} of it are there", HumanBytes(kept)),
                };
                self.line(&format!("{file} from {url}{kept}"));
            }
            Event::Progress {
                stage, done, total, ..
            } => {
                if self.stage.replace(stage) != Some(stage) {
                    self.bar.reset();
                    self.bar.set_prefix(title(stage));
                }
                if let Some(total) = total {
                    self.bar.set_length(total);
                }
                self.bar.set_position(done);
            }
            Event::Waiting {
                reason,
                wait,
                attempt,
                attempts,
                ..
            } => self.line(&format!(
                "attempt {attempt} of {attempts} failed ({reason}); the next one in {} s",
                wait.as_secs()
            )),
            Event::Restarted { file, reason } => {
                self.line(&format!("{file} begins anew: {reason}"))
            }
            _ => {}
        }
    }

    fn line(&self, text: &str) {
        self.bar.suspend(|| terminal::note(text));
    }
}

fn title(stage: Stage) -> &'static str {
    match stage {
        Stage::Checking => "checking",
        Stage::Downloading => "downloading",
        Stage::Copying => "copying",
        Stage::Unpacking => "unpacking",
    }
}

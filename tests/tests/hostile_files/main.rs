//! Thousands of damaged and hostile checkpoints, made from good ones: each is read or refused with
//! one cause, without a panic, in bounded memory and time.
//!
//! A binary of its own, because its allocator counts. Another run: `ABN_HOSTILE_SEED=7
//! ABN_HOSTILE_CASES=1000000 cargo test -p tests --test hostile_files`; one case of it again:
//! `ABN_HOSTILE_FIRST=1234 ABN_HOSTILE_CASES=1`. The last file that was tried stays in
//! `target/tmp`, also when the process was aborted.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test that cannot go on should panic; counts are its result.

mod crafted;
mod mutate;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::panic::{UnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use abn_core::Architecture;
use abn_core::ClassifierConfig;
use abn_core::Outputs;
use abn_core::pytorch::{check, from_pytorch, part_from_pytorch};
use abn_core::state::State;
use abn_run::digest::sha256;
use abn_run::weights::read_checkpoint;
use burn::tensor::Device;
use cap::Cap;
use mutate::{Mutation, Seeds};
use peak_alloc::PeakAlloc;

/// Counts what is allocated; more than this at once ends the process, before the machine suffers.
#[global_allocator]
static MEMORY: Cap<PeakAlloc> = Cap::new(PeakAlloc, 2 << 30);

/// What reading may take beyond some times the file's size. The budget of its pickles would let a
/// file made for it take 128 MiB; what is tried here stays below.
const CONSTANT: usize = 48 << 20;
const TIMES: usize = 16;
const LONGEST: Duration = Duration::from_secs(5);

/// Allocations of other tests would be counted too.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Runs a function: its result or panic, and how far memory rose above where it was.
fn watched<T>(function: impl FnOnce() -> T + UnwindSafe) -> (std::thread::Result<T>, usize) {
    PeakAlloc.reset_peak_usage();
    let before = PeakAlloc.current_usage();
    let result = catch_unwind(function);
    (result, PeakAlloc.peak_usage().saturating_sub(before))
}

/// How a file was taken: the number of its tensors, or the cause why it was refused.
fn judge(path: &Path, size: usize) -> (Result<usize, String>, usize) {
    let started = Instant::now();
    let (read, rise) = watched(|| read_checkpoint(path));
    let Ok(read) = read else {
        panic!("it panicked")
    };
    assert!(
        rise <= CONSTANT + TIMES * size,
        "it took {rise} bytes for a file of {size}"
    );
    assert!(
        started.elapsed() < LONGEST,
        "it took {:?}",
        started.elapsed()
    );
    let taken = match read {
        Ok(state) => {
            assert!(!state.is_empty());
            for (name, tensor) in &state {
                let elements: usize = tensor.shape().to_vec().iter().product();
                assert_eq!(tensor.iter::<f32>().count(), elements, "{name}");
            }
            import(&state);
            Ok(state.len())
        }
        Err(error) => {
            let told = format!("{error:#}");
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(
                told.contains(name) && told.len() < 4000 && !told.contains(char::is_control),
                "{told}"
            );
            let cause = told
                .split_once("checkpoint: ")
                .map_or(told.as_str(), |(_, cause)| cause);
            assert!(cause.len() > 15, "{told}");
            Err(cause.to_owned())
        }
    };
    (taken, rise)
}

/// What `abn import` and `--init` do with tensors that could be read.
fn import(state: &State) {
    let device = Device::flex();
    for name in ["resnet8", "wrn-10-1"] {
        let architecture = Architecture::parse(name).unwrap();
        let attention = Some(architecture.abn());
        let config = ClassifierConfig {
            network: architecture.network.clone(),
            attention,
            outputs: Outputs::one(2),
        };
        let fits = check(&config, state, &device).is_ok();
        assert_eq!(from_pytorch(&config, state.clone(), &device).is_ok(), fits);
        let _ = part_from_pytorch(&config, state.clone(), &device);
        let _ = abn_run::recipe::recognise::outputs(&architecture, state);
    }
}

#[test]
fn mutated_files_are_read_or_refused() {
    let _alone = alone();
    let seeds = Seeds::load();
    let (seed, first) = (
        setting("ABN_HOSTILE_SEED", 1),
        setting("ABN_HOSTILE_FIRST", 0),
    );
    let cases = setting("ABN_HOSTILE_CASES", 12_000);
    let started = Instant::now();
    let mut taken: BTreeMap<Mutation, (usize, usize)> = BTreeMap::new();
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    let mut highest = 0;
    for number in first..first + cases {
        let case = seeds.case(seed, number);
        let path = last_file(seed, &case.extension);
        // Writing over a file waits for the disk, on ext4; making a new one does not.
        let _ = fs::remove_file(&path);
        fs::write(&path, &case.bytes).unwrap();
        let (judged, rise) = catch_unwind(|| judge(&path, case.bytes.len())).unwrap_or_else(|_| {
            panic!(
                "seed {seed}, case {number} ({:?}): see {}",
                case.mutation,
                path.display()
            )
        });
        let counts = taken.entry(case.mutation).or_default();
        match judged {
            Ok(_) => counts.0 += 1,
            Err(cause) => {
                counts.1 += 1;
                *causes.entry(kind(&cause)).or_default() += 1;
            }
        }
        highest = highest.max(rise);
    }
    let (read, refused) = taken
        .values()
        .fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
    println!(
        "seed {seed}: {read} read, {refused} refused, at most {highest} bytes, {:?}",
        started.elapsed()
    );
    println!("{taken:?}");
    println!("{causes:#?}");
    if cases >= 10_000 {
        assert!(
            read >= 500,
            "only {read} of {cases} were still read: the others did not reach deep"
        );
        assert!(
            taken.len() == Mutation::ALL.len() && taken.values().all(|counts| counts.1 >= 20),
            "{taken:?}"
        );
        // The reader behind our own check, and each check, had its share.
        for word in [
            "pickle: ",
            "is no opcode",
            "which plain weights do not need",
            "cut off",
            "tensors would take",
        ] {
            let found: usize = causes
                .iter()
                .filter(|(cause, _)| cause.contains(word))
                .map(|(_, count)| count)
                .sum();
            assert!(
                found >= 5,
                "only {found} files were refused with `{word}`: {causes:#?}"
            );
        }
    }
}

/// Where a file is put to be read, and found after an abort.
fn last_file(seed: u64, extension: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{seed}.{extension}"))
}

/// The start of a cause without its numbers and names.
fn kind(cause: &str) -> String {
    let outside = cause
        .split(['`', '\''])
        .step_by(2)
        .collect::<Vec<_>>()
        .join("_");
    let mut kind: String = outside
        .chars()
        .filter(|letter| !"0123456789[],".contains(*letter))
        .collect();
    kind.truncate(kind.char_indices().nth(45).map_or(kind.len(), |(at, _)| at));
    kind
}

#[test]
fn the_program_tells_one_cause() {
    let _alone = alone();
    let seeds = Seeds::load();
    let folder = tempfile::tempdir().unwrap();
    for number in 0..40 {
        let case = seeds.case(99, number);
        let path = folder.path().join(format!("hostile.{}", case.extension));
        fs::write(&path, &case.bytes).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_abn-under-test"));
        program.current_dir(folder.path()).arg("import").arg(&path);
        let output = program
            .args("--arch resnet8 --classes 4 --out run".split(' '))
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "case {number}: {told}");
        assert!(
            told.contains("hostile.") && told.contains("error: ") && !told.contains("panicked"),
            "{told}"
        );
        assert!(!folder.path().join("run").exists());
    }
}

#[test]
fn the_watch_sees_memory_and_panics() {
    let _alone = alone();
    for size in [1_usize << 20, 80 << 20, 1 << 20] {
        let (_, rise) = watched(|| std::hint::black_box(vec![1_u8; size]).len());
        // The test runner's own threads may allocate and free meanwhile.
        assert!(rise.abs_diff(size) < 65_536, "{rise} for {size}");
    }
    let (result, _) = watched(|| std::panic::resume_unwind(Box::new("a panic")));
    let result: std::thread::Result<()> = result;
    assert!(result.is_err());
}

/// The tests here prove nothing if the files that it tries are all the same, or all as they were.
#[test]
fn mutations_differ_and_repeat() {
    let _alone = alone();
    let seeds = Seeds::load();
    let mut distinct = HashSet::new();
    let mut of_each: BTreeMap<Mutation, usize> = BTreeMap::new();
    let mut changed = 0;
    for number in 0..3000 {
        let case = seeds.case(5, number);
        changed += usize::from(!seeds.contains(&case.bytes));
        distinct.insert(sha256(&case.bytes));
        *of_each.entry(case.mutation).or_default() += 1;
    }
    assert!(
        changed >= 2850,
        "only {changed} of 3000 files differ from those they were made from"
    );
    assert!(
        distinct.len() >= 2700,
        "only {} of 3000 files differ from one another",
        distinct.len()
    );
    assert!(
        Mutation::ALL
            .iter()
            .all(|mutation| of_each[mutation] >= 100),
        "{of_each:?}"
    );
    for number in [0, 17, 2999] {
        let bytes = seeds.case(5, number).bytes;
        assert!(
            distinct.contains(&sha256(&bytes)),
            "a case can be repeated alone"
        );
        assert_ne!(
            bytes,
            seeds.case(6, number).bytes,
            "another seed is another file"
        );
    }
}

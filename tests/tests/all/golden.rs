//! The same bits on every machine: digests of what runs leave, for every instruction set that the
//! machine has, any number of threads, and runs that move from one set to another.
//!
//! The digests are snapshots. One that differs on one machine alone is a fault of the kernels or of
//! a library; one that differs everywhere belongs to a change of what is computed, and is accepted
//! with it (`INSTA_UPDATE=always`).

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use abn_kernels::InstructionSet;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageEncoder, Rgb, RgbImage};
use sha2::{Digest, Sha256};

use crate::program::{abn, run};

/// The digests of a finished run: of its measurements and of its last weights.
fn digests(run: &Path) -> String {
    let of = |file: &Path| -> String {
        let digest = Sha256::digest(fs::read(file).unwrap());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let entries = fs::read_dir(run.join("checkpoints")).unwrap();
    let mut models: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("model-") && name.ends_with(".safetensors")
        })
        .collect();
    models.sort();
    let last = models.last().expect("a run leaves its weights");
    format!(
        "metrics.jsonl {}\nweights       {}",
        of(&run.join("metrics.jsonl")),
        of(last)
    )
}

/// The instruction sets of this machine that have to agree.
fn sets() -> Vec<InstructionSet> {
    let mut sets = InstructionSet::available();
    sets.retain(|set| set.is_fused());
    sets
}

/// Runs a command with an instruction set and a number of threads; gives the digests.
fn trained(folder: &Path, command: &str, set: InstructionSet, threads: usize) -> String {
    let out = format!("{set}-{threads}");
    let said = run(abn(folder)
        .args(command.split_whitespace())
        .args(["--out", &out, "--workers", &threads.to_string()])
        .env("ABN_INSTRUCTIONS", set.to_string())
        .env("RAYON_NUM_THREADS", threads.to_string()));
    assert_eq!(said.code, Some(0), "{}", said.err);
    digests(&folder.join(out))
}

/// A folder of photographs of two classes, as JPEG, each of another size.
fn photographs(folder: &Path) {
    for class in 0..2 {
        let folder = folder.join(format!("photos/{class}"));
        fs::create_dir_all(&folder).unwrap();
        for number in 0..12_u32 {
            let (width, height) = (41 + 3 * number, 67 - 2 * number);
            let image = RgbImage::from_fn(width, height, |x, y| {
                let wave = (x * (class + 2) + y * (number + 1)) % 97;
                Rgb([(2 * wave) as u8, (x + 2 * y) as u8, (255 - wave) as u8])
            });
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, 80)
                .write_image(&image, width, height, image::ExtendedColorType::Rgb8)
                .unwrap();
            fs::write(folder.join(format!("{number}.jpg")), bytes).unwrap();
        }
    }
}

/// The snapshot, and the same digests from every set with one, two and four threads.
fn check(name: &str, command: &str) {
    let folder = tempfile::tempdir().unwrap();
    photographs(folder.path());
    let (sets, best) = (sets(), InstructionSet::best());
    if !sets.contains(&best) {
        return;
    }
    let golden = trained(folder.path(), command, best, 2);
    insta::assert_snapshot!(name, golden, command);
    let others = sets
        .into_iter()
        .map(|set| (set, if set == best { 1 } else { 4 }));
    for (set, threads) in others.chain([(best, 4)]) {
        let found = trained(folder.path(), command, set, threads);
        assert_eq!(found, golden, "{set}, threads: {threads}");
    }
}

#[test]
fn without_attention() {
    check(
        "golden_none",
        "train --dataset folder --data photos --arch resnet8 --attention none --size 32 \
         --augment random-resized-crop --epochs 2 --batch-size 8 --seed 1",
    );
}

#[test]
fn attention_branch() {
    check(
        "golden_abn",
        "train --arch wrn-10-1 --attention abn --dropout 0.3 --augment pad-crop --limit 96 \
         --epochs 2 --batch-size 16 --seed 2",
    );
}

#[test]
fn mixed_attention() {
    check(
        "golden_manet",
        "train --dataset folder --data photos --arch densenet-bc-22-12 --attention manet --size 32 \
         --dropout 0.2 --augment resize-crop --epochs 2 --batch-size 8 --seed 3",
    );
}

#[test]
#[ignore = "needs minutes: the default run with every instruction set"]
fn the_default_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut golden = None;
    for set in sets() {
        let found = trained(folder.path(), "train", set, 2);
        match &golden {
            None => {
                insta::assert_snapshot!("golden_default", found, "train");
                golden = Some(found);
            }
            Some(golden) => assert_eq!(found, *golden, "{set}"),
        }
    }
}

/// A run that is killed with one set and goes on with another ends with the same bytes.
#[test]
fn a_run_moves_between_machines() {
    let command = "train --arch resnet8 --limit 128 --epochs 2 --batch-size 8 --save-every 0";
    let folder = tempfile::tempdir().unwrap();
    let (Some(first), last) = (sets().into_iter().next(), InstructionSet::best()) else {
        return;
    };
    let whole = trained(folder.path(), command, last, 2);
    let moved = folder.path().join("moved");
    let mut child = abn(folder.path())
        .args(command.split_whitespace())
        .args(["--out", "moved"])
        .env("ABN_INSTRUCTIONS", first.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !moved.join("checkpoints/manifest.json").exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "no checkpoint");
        sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let said = run(abn(folder.path())
        .args(["train", "--out", "moved"])
        .env("ABN_INSTRUCTIONS", last.to_string()));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(digests(&moved), whole);
}

#[test]
fn instructions_that_are_not_there_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |word: &str, reason: &str| {
        let said = run(abn(folder.path())
            .args(["train", "--epochs", "1", "--limit", "16"])
            .env("ABN_INSTRUCTIONS", word));
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(said.err.contains(reason), "{}", said.err);
        assert!(
            said.err.contains("this machine has portable"),
            "{}",
            said.err
        );
    };
    refused("sse9", "ABN_INSTRUCTIONS: `sse9` is no instruction set");
    if !InstructionSet::available().contains(&InstructionSet::Avx512) {
        refused("avx512", "ABN_INSTRUCTIONS: this machine has no avx512");
    }
    assert!(!folder.path().join("runs").exists(), "a run was begun");
}

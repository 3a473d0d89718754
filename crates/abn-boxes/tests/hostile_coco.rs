//! Damaged and hostile files of COCO, made from good ones by chance, and large ones: each is read or
//! refused with one cause, without a panic, in bounded memory and time.
//!
//! A binary of its own, because its allocator counts. Other runs of it:
//! `ABN_HOSTILE_SEED=7 ABN_HOSTILE_CASES=1000000 cargo test -p abn-boxes --test hostile_coco`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test that cannot go on should panic; counts are its result.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use abn_boxes::CocoError;
use abn_boxes::coco::{Instances, evaluate, read_results};
use cap::Cap;
use peak_alloc::PeakAlloc;
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64;

/// More than this at once ends the process, before the machine suffers.
#[global_allocator]
static MEMORY: Cap<PeakAlloc> = Cap::new(PeakAlloc, 1 << 30);

/// No small file may take longer.
const LONGEST: Duration = Duration::from_secs(5);
/// The reader's buffer and curves of a few categories; beyond these, so much a byte of the file.
const CONSTANT: usize = 4 << 20;
const PER_BYTE: usize = 64;

/// Allocations of other tests would be counted too.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn watched<T>(function: impl FnOnce() -> T) -> (T, usize) {
    PeakAlloc.reset_peak_usage();
    let before = PeakAlloc.current_usage();
    let result = function();
    (result, PeakAlloc.peak_usage().saturating_sub(before))
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

const TRUTH: &str = r#"{"info": {"year": 2017, "x": [[1, 2], {"a": "\u00e9\n"}]}, "images": [
{"id": 0, "file_name": "a.jpg", "height": 20, "width": 30}, {"id": 7, "width": 9}], "annotations": [
{"id": 0, "image_id": 7, "category_id": 3, "bbox": [1, 2.5, 3e0, 4], "area": 9.25, "iscrowd": 0,
"segmentation": [[1, 2, 3, 4, 5, 6]]},
{"id": 2, "image_id": 0, "category_id": 90, "bbox": [0, 0, 30, 20], "iscrowd": 1,
"segmentation": {"counts": "a1b2", "size": [20, 30]}},
{"id": 5, "image_id": 0, "category_id": 3, "bbox": [-1, 0, 0, 20], "area": 1e4}],
"categories": [{"id": 90, "name": "toothbrush"}, {"id": 3, "name": "car", "supercategory": "x"}]}"#;
const RESULTS: &str = r#"[{"image_id": 7, "category_id": 3, "bbox": [1, 2.5, 3, 4], "score": 0.5},
{"image_id": 0, "category_id": 90, "bbox": [0, 1, 29.5, 19], "score": -1e-3},
{"image_id": 0, "category_id": 4, "bbox": [0, 1, 29.5, 19], "score": 1, "more": [{}]}]"#;

/// What is put into a file: words of JSON at which readers go wrong, and bytes.
const WORDS: [&str; 22] = [
    "-1",
    "1e999",
    "-0",
    "18446744073709551616",
    "1.5",
    "null",
    "NaN",
    "true",
    "\"\\ud800\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"id\": 7",
    "\"bbox\": [0,0,1,1],",
    "\u{1b}[2J",
    "\u{0}",
    "1e308",
    "\"",
    "\\",
];

/// Ways to change bytes that know little of their meaning.
fn change(bytes: &mut Vec<u8>, random: &mut impl Rng) -> &'static str {
    let at = random.random_range(0..bytes.len().max(1)).min(bytes.len());
    let end = (at + random.random_range(1..60_usize)).min(bytes.len());
    let word = WORDS[random.random_range(0..WORDS.len())].as_bytes();
    match random.random_range(0..8) {
        0 => {
            bytes.truncate(at);
            "truncate"
        }
        1 if at < bytes.len() => {
            bytes[at] ^= 1 << random.random_range(0..8_u32);
            "flip"
        }
        2 if at < bytes.len() => {
            bytes[at] = random.random();
            "byte"
        }
        3 => {
            bytes.splice(at..at, word.iter().copied());
            "insert"
        }
        4 => {
            bytes.splice(at..end, word.iter().copied());
            "replace"
        }
        5 => {
            let copies = bytes[at..end].repeat([1, 2, 20][random.random_range(0..3)]);
            bytes.splice(end..end, copies);
            "duplicate"
        }
        6 => {
            // A number, so that more than syntax is met.
            let digits: Vec<usize> = (0..bytes.len())
                .filter(|at| bytes[*at].is_ascii_digit())
                .collect();
            if !digits.is_empty() {
                let at = digits[random.random_range(0..digits.len())];
                let number = ["0", "7", "3", "90", "-4", "1e300", "0.1"][random.random_range(0..7)];
                bytes.splice(at..=at, number.bytes());
            }
            "number"
        }
        _ => {
            bytes.drain(at..end);
            "remove"
        }
    }
}

/// A message is short, and no terminal takes it for a command.
fn is_fit_to_print(error: &CocoError) {
    let message = error.to_string();
    assert!(message.len() < 1000, "{} bytes: {message}", message.len());
    assert!(!message.contains(char::is_control), "{message:?}");
}

fn judge(truth: &[u8], results: &[u8]) -> Result<(), CocoError> {
    let truth = Instances::read(truth)?;
    let mut annotations = 0;
    for image in 0..truth.images().len() {
        for annotation in truth.annotations_of(image) {
            assert_eq!(annotation.image_id, truth.images()[image].id);
            assert!(truth.category_place(annotation.category_id).is_some());
            annotations += 1;
        }
    }
    assert_eq!(annotations, truth.annotations().len());
    let evaluation = evaluate(&truth, &read_results(results)?)?;
    let stats = evaluation.stats().values();
    let fits = |value: &f64| *value == -1.0 || (0.0..=1.0 + 1e-9).contains(value);
    assert!(stats.iter().all(fits), "{stats:?}");
    Ok(())
}

#[test]
fn mutated_files_are_read_or_refused() {
    let _alone = alone();
    judge(TRUTH.as_bytes(), RESULTS.as_bytes()).unwrap();
    let (seed, cases) = (
        setting("ABN_HOSTILE_SEED", 1),
        setting("ABN_HOSTILE_CASES", 100_000),
    );
    let started = Instant::now();
    let mut read = 0;
    let mut refused = [0_u64; 4];
    for number in 0..cases {
        let mut random = Pcg64::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (mut truth, mut results) = (TRUTH.as_bytes().to_vec(), RESULTS.as_bytes().to_vec());
        let changed = if random.random_range(0..3) > 0 {
            &mut truth
        } else {
            &mut results
        };
        let mut way = change(changed, &mut random);
        if random.random_range(0..4) == 0 {
            way = change(changed, &mut random);
        }
        let size = truth.len() + results.len();
        let begun = Instant::now();
        let judged = || watched(|| judge(&truth, &results));
        let judged = catch_unwind(AssertUnwindSafe(judged));
        let (judged, rise) =
            judged.unwrap_or_else(|_| panic!("seed {seed}, case {number} ({way})"));
        assert!(
            rise <= CONSTANT + PER_BYTE * size,
            "{rise} bytes for {size}"
        );
        let lasted = begun.elapsed();
        assert!(
            lasted < LONGEST,
            "seed {seed}, case {number} took {lasted:?}"
        );
        match judged {
            Ok(()) => read += 1,
            Err(error) => {
                is_fit_to_print(&error);
                refused[match error {
                    CocoError::Truncated { .. } => 0,
                    CocoError::Json { .. } => 1,
                    CocoError::Contradiction(_) => 2,
                    _ => 3,
                }] += 1;
            }
        }
    }
    println!(
        "seed {seed}: {read} read, {refused:?} refused in {:?}",
        started.elapsed()
    );
    if cases >= 10_000 {
        // Of each kind enough to mean something; nothing is wrong with memory as a file.
        let enough = read > cases / 20 && refused[..3].iter().all(|count| *count > cases / 200);
        assert!(
            enough && refused[3] == 0,
            "{read} read, {refused:?} refused"
        );
    }
}

/// A file that is made while it is read: so many annotations with outlines of 430 bytes.
struct Large {
    annotations: u64,
    next: u64,
    rest: Vec<u8>,
    taken: usize,
    bytes: usize,
}

impl Large {
    fn of(annotations: u64) -> Self {
        Self {
            annotations,
            next: 0,
            rest: br#"{"annotations": ["#.to_vec(),
            taken: 0,
            bytes: 0,
        }
    }

    fn images(&self) -> u64 {
        self.annotations / 7 + 1
    }

    fn refill(&mut self) {
        let number = self.next;
        self.next += 1;
        self.taken = 0;
        self.rest = if number < self.annotations {
            let between = if number == 0 { "" } else { ", " };
            let outline = vec!["123.45"; 53].join(", ");
            format!(
                r#"{between}{{"segmentation": [[{outline}]], "area": 12.5, "iscrowd": 0,
                "image_id": {}, "bbox": [1.25, 2.5, {}.5, 4], "category_id": 1, "id": {number}}}"#,
                number * 7919 % self.images(),
                number % 100,
            )
            .into_bytes()
        } else if number == self.annotations {
            br#"], "categories": [{"id": 1, "name": "a"}], "images": ["#.to_vec()
        } else if number <= self.annotations + self.images() {
            let id = number - self.annotations - 1;
            let between = if id == 0 { "" } else { ", " };
            format!(r#"{between}{{"id": {id}, "file_name": "{id:012}.jpg"}}"#).into_bytes()
        } else if number == self.annotations + self.images() + 1 {
            b"]}".to_vec()
        } else {
            vec![]
        };
    }
}

impl Read for Large {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.rest.len() {
            self.refill();
        }
        let count = buffer.len().min(self.rest.len() - self.taken);
        buffer[..count].copy_from_slice(&self.rest[self.taken..][..count]);
        self.taken += count;
        self.bytes += count;
        Ok(count)
    }
}

fn large(annotations: u64) {
    let _alone = alone();
    let started = Instant::now();
    let mut file = Large::of(annotations);
    let (read, rise) = watched(|| Instances::read(&mut file));
    let read = read.unwrap();
    println!(
        "{} bytes: {:?}, {rise} bytes of memory",
        file.bytes,
        started.elapsed()
    );
    assert_eq!(read.annotations().len() as u64, annotations);
    assert_eq!(read.images().len() as u64, file.images());
    assert!(file.bytes as u64 > 500 * annotations);
    // 72 bytes each, twice while the list grows, as much again while it is sorted.
    assert!(
        (rise as u64) < 8 * 1024 * 1024 + 260 * annotations,
        "{rise} bytes"
    );
}

#[test]
fn a_large_file_takes_the_memory_of_its_boxes() {
    large(40_000);
}

#[test]
#[ignore = "needs ten seconds: 0.5 GB, as much as the images of 2017 have"]
fn a_file_of_half_a_gigabyte() {
    large(860_001);
}

#[test]
fn a_list_without_an_end_is_cut_off() {
    let _alone = alone();
    let mut text = br#"{"images": [], "annotations": [], "categories": ["#.to_vec();
    for id in 0..20_000 {
        text.extend_from_slice(format!(r#"{{"id": {id}, "name": "{id}"}}, "#).as_bytes());
    }
    let (read, rise) = watched(|| Instances::read(&*text));
    let error = read.unwrap_err().to_string();
    assert!(error.contains("more than 10000 categories"), "{error}");
    assert!(rise < 8 << 20, "{rise} bytes");
}

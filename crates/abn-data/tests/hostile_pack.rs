//! Damaged and hostile packs, most of them made from good ones by chance: each is opened or refused
//! with one cause, its images are read or refused, without a panic, in bounded memory and time.
//!
//! A binary of its own, because its allocator counts. Other runs of it: see `hostile/mod.rs`.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test that cannot go on should panic; counts are its result.

mod hostile;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::Instant;

use abn_data::{
    AttributeFolder, Collection, DataError, ImageFolder, ObjectFolder, PackOptions, PackedLabels,
    Split, Stored, Target, attributes, image_folder, is_pack, objects, pack, packed, verify,
};
use hostile::mutation::Mutation;
use hostile::{LONGEST, alone, generator, setting, watched};
use image::{GrayImage, Luma, Rgb, RgbImage};
use rand::{Rng, RngExt};
use sha2::{Digest, Sha256};

const HEADER: usize = 128;
/// How much of the header its digest covers.
const COVERED: usize = 88;
const RECORD: usize = 120;

/// What opening may take beyond a multiple of the file: buffers, and the words of ImageNet's
/// classes.
const CONSTANT: usize = 1 << 20;
/// What the decoders of images may take, which is not a matter of packs.
const DECODED: usize = 600 << 20;

/// A pack in its pieces.
#[derive(Clone)]
struct Pieces {
    header: Vec<u8>,
    /// Record, image and mask of each image.
    entries: Vec<[Vec<u8>; 3]>,
    names: Vec<u8>,
    contents: Vec<u8>,
}

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..][..4].try_into().unwrap()) as usize
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    for (byte, value) in bytes.iter_mut().skip(at).zip(value) {
        *byte = *value;
    }
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

impl Pieces {
    fn of(bytes: &[u8]) -> Self {
        let (index, names) = (word(bytes, 24), word(bytes, 32));
        let records = bytes[index..].chunks(RECORD).take(word(bytes, 16));
        let entry = |record: &[u8]| {
            let (offset, image, mask) = (word(record, 0), word(record, 8), word(record, 12));
            let behind = offset + image.next_multiple_of(8);
            [
                record.to_vec(),
                bytes[offset..][..image].to_vec(),
                bytes[behind..][..mask].to_vec(),
            ]
        };
        let entries: Vec<_> = records.map(entry).collect();
        let (names, contents) = bytes[index + entries.len() * RECORD..].split_at(names);
        Self {
            header: bytes[..HEADER].to_vec(),
            entries,
            names: names.to_vec(),
            contents: contents.to_vec(),
        }
    }

    /// The file, with every length, place and checksum as it should be.
    fn file(mut self, changed: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>)) -> Vec<u8> {
        let mut file = vec![0; HEADER];
        for [record, image, mask] in &mut self.entries {
            record.resize(RECORD, 0);
            put(record, 0, &(file.len() + RECORD).to_le_bytes());
            put(record, 8, &(image.len() as u32).to_le_bytes());
            put(record, 12, &(mask.len() as u32).to_le_bytes());
            put(record, 24, &crc32fast::hash(image).to_le_bytes());
            put(record, 28, &crc32fast::hash(mask).to_le_bytes());
            let sha = Sha256::new().chain_update(&*image).chain_update(&*mask);
            put(record, 32, &sha.finalize());
            sign(record);
            file.extend_from_slice(record);
            file.extend(padded(image));
            file.extend(padded(mask));
        }
        let index = file.len();
        let records = self.entries.iter().flat_map(|[record, ..]| record);
        let mut records: Vec<u8> = records.copied().collect();
        let header = &mut self.header;
        put(header, 16, &self.entries.len().to_le_bytes());
        put(header, 24, &index.to_le_bytes());
        put(header, 32, &self.names.len().to_le_bytes());
        put(header, 40, &self.contents.len().to_le_bytes());
        changed(header, &mut records);
        header.resize(HEADER, 0);
        file.extend([&records[..], &self.names, &self.contents].concat());
        let digest = Sha256::new()
            .chain_update(&file[index..])
            .chain_update(&header[..COVERED]);
        put(header, COVERED, &digest.finalize());
        file[..HEADER].copy_from_slice(header);
        file
    }
}

/// Gives a record the checksum of what is in it.
fn sign(record: &mut [u8]) {
    let crc = crc32fast::hash(&record[..RECORD - 4]);
    put(record, RECORD - 4, &crc.to_le_bytes());
}

fn write(path: &Path, image: &RgbImage) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let ending = path.extension().unwrap().to_str().unwrap();
    let format = image::ImageFormat::from_extension(ending).unwrap();
    image.save_with_format(path, format).unwrap();
}

/// The good files that mutations start from: with masks and boxes, of files and of pixels, of one
/// part and of three, with an image that cannot be read, of several labels an image, and of boxes.
fn seeds(folder: &Path) -> Vec<Vec<u8>> {
    let picture = |number: u32| {
        let size = [(9, 6), (5, 8)][number as usize % 2];
        RgbImage::from_fn(size.0, size.1, |x, y| {
            Rgb([(20 * x) as u8, (30 * y) as u8, (9 * number) as u8])
        })
    };
    let (whole, apart) = (folder.join("whole"), folder.join("apart"));
    let endings = ["png", "jpg", "bmp"];
    for number in 0..6 {
        let name = format!(
            "{}/{number}.{}",
            ["cat", "dog"][number % 2],
            endings[number % 3]
        );
        let picture = picture(number as u32);
        write(&whole.join("images").join(&name), &picture);
        let part = ["train", "val", "test"][number / 2];
        write(&apart.join(part).join(&name), &picture);
        if number < 3 {
            let mask = GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
                Luma([u8::from(x > y)])
            });
            let path = whole.join("masks").join(&name).with_extension("png");
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            mask.save(path).unwrap();
        }
    }
    fs::write(whole.join("images/cat/9.png"), "no picture").unwrap();
    fs::write(whole.join("classes.tsv"), "cat\tthe cat\n").unwrap();
    let boxes = "image\tx0\ty0\tx1\ty1\ntrain/cat/0.png\t1\t1\t4\t4\n";
    fs::write(apart.join("boxes.tsv"), boxes).unwrap();
    let several = folder.join("several");
    for number in 0..4 {
        let name = format!("JPEGImages/{number}.jpg");
        write(&several.join(name), &picture(number));
        let object = "<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin>\
                      <xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>";
        let annotation = several.join(format!("Annotations/{number}.xml"));
        fs::create_dir_all(annotation.parent().unwrap()).unwrap();
        fs::write(annotation, object).unwrap();
    }
    let lists = several.join("ImageSets/Main");
    fs::create_dir_all(&lists).unwrap();
    for (name, list) in [
        ("cat_train", "0 1\n1 0\n"),
        ("dog_train", "0 -1\n1 1\n"),
        ("cat_val", "2 -1\n3 1\n"),
        ("dog_val", "2 1\n3 1\n"),
    ] {
        fs::write(lists.join(format!("{name}.txt")), list).unwrap();
    }
    let boxed = folder.join("boxed");
    fs::create_dir_all(&boxed).unwrap();
    for number in 0..4 {
        write(&boxed.join(format!("{number}.png")), &picture(number));
    }
    let rows = |row: fn(usize) -> String| (0..4).map(row).collect::<String>();
    let boxes = rows(|number| format!("{number}.png,1,0,4,{}\n", 2 + number));
    fs::write(
        boxed.join("boxes.csv"),
        format!("image,x0,y0,x1,y1\n{boxes}"),
    )
    .unwrap();
    let labels = rows(|number| format!("{number}.png,{},?\n", number % 2));
    let known = labels.replacen('?', "1", 1);
    fs::write(boxed.join("labels.csv"), format!("image,hat,red\n{known}")).unwrap();
    let coco = folder.join("coco");
    fs::create_dir_all(coco.join("annotations")).unwrap();
    for (number, part) in ["train2017", "train2017", "val2017"]
        .into_iter()
        .enumerate()
    {
        write(
            &coco.join(format!("{part}/{number}.png")),
            &picture(number as u32),
        );
    }
    for (part, images) in [("train", 0..2), ("val", 2..3)] {
        let of = |text: fn(usize) -> String| {
            let all: Vec<String> = images.clone().map(text).collect();
            all.join(", ")
        };
        let told = of(|number| {
            let (width, height) = [(9, 6), (5, 8)][number % 2];
            format!(
                r#"{{"id": {number}, "file_name": "{number}.png", "width": {width}, "height": {height}}}"#
            )
        });
        let boxes = of(|number| {
            format!(
                r#"{{"id": {number}, "image_id": {number}, "category_id": 3, "bbox": [1, 1, 2.5, 3]}}"#
            )
        });
        let text = format!(
            r#"{{"images": [{told}], "annotations": [{boxes}],
            "categories": [{{"id": 3, "name": "cat"}}, {{"id": 7, "name": "dog"}}]}}"#
        );
        let path = format!("annotations/instances_{part}2017.json");
        fs::write(coco.join(path), text).unwrap();
    }
    let mut seeds = Vec::new();
    let of_lists = |crop| PackedLabels::Several { labels: None, crop };
    for (dir, stored, labels) in [
        (&whole, Stored::AsTheyAre, PackedLabels::One),
        (&whole, Stored::Shorter(4), PackedLabels::One),
        (&apart, Stored::AsTheyAre, PackedLabels::One),
        (&apart, Stored::Shorter(5), PackedLabels::One),
        (&several, Stored::AsTheyAre, of_lists(false)),
        (&several, Stored::Shorter(4), of_lists(false)),
        (&boxed, Stored::AsTheyAre, of_lists(true)),
        (&several, Stored::AsTheyAre, PackedLabels::Objects),
        (&coco, Stored::AsTheyAre, PackedLabels::Objects),
    ] {
        let path = folder.join(format!("{}.abnpack", seeds.len()));
        let options = PackOptions {
            stored,
            truth: None,
            leave_out: true,
            workers: 0,
            labels,
        };
        pack(dir, &path, &options, &mut |_, _| ControlFlow::Continue(())).unwrap();
        seeds.push(fs::read(path).unwrap());
    }
    assert!(image_folder(&request(&whole, Split::All)).is_ok());
    seeds
}

fn request(dir: &Path, split: Split) -> ImageFolder<'_> {
    ImageFolder {
        dir,
        split,
        seed: 3,
        truth: None,
        classes: None,
        once: None,
    }
}

/// One split of what its version says that it is; of lists with boxes, cropped to them.
fn open(path: &Path, bytes: &[u8], split: Split) -> Result<Collection, DataError> {
    match bytes.get(8) {
        Some(2) => {}
        Some(3) => {
            return objects(&ObjectFolder {
                dir: path,
                split,
                seed: 3,
                known: None,
                once: None,
            });
        }
        _ => return packed(&request(path, split)),
    }
    let request = |crop| AttributeFolder {
        dir: path,
        labels: None,
        split,
        seed: 3,
        truth: None,
        known: None,
        once: None,
        crop,
    };
    attributes(&request(true)).or_else(|_| attributes(&request(false)))
}

/// What reading a file gave.
#[derive(Debug, Default, PartialEq)]
struct Taken {
    images: usize,
    /// Why splits or images were refused.
    causes: Vec<String>,
    /// How far memory rose while the pack was opened, and while images were read.
    opening: usize,
    reading: usize,
}

fn judge(folder: &Path, bytes: &[u8]) -> Taken {
    let path = folder.join("case");
    // Writing over a file waits for the disk, on ext4; making a new one does not.
    let _ = fs::remove_file(&path);
    fs::write(&path, bytes).unwrap();
    let started = Instant::now();
    let mut taken = Taken::default();
    let refused = |error: DataError| {
        let told = error
            .to_string()
            .replace(&path.display().to_string(), "PACK");
        assert!(told.contains("PACK"), "another file: {told}");
        assert!(
            told.len() < 12_000 && !told.contains(char::is_control),
            "{told}"
        );
        told
    };
    let _ = is_pack(&path);
    for split in [Split::All, Split::Train, Split::HeldOut, Split::Test] {
        let (opened, rise) = watched(|| open(&path, bytes, split));
        taken.opening = taken.opening.max(rise);
        let collection = match opened {
            Ok(collection) => collection,
            Err(error) => {
                taken.causes.push(refused(error));
                continue;
            }
        };
        let files = collection.files.as_ref().unwrap();
        assert!(!collection.samples.is_empty());
        let of_objects = bytes.get(8) == Some(&3);
        let counts = if of_objects {
            0
        } else {
            collection.labels.count()
        };
        assert_eq!(files.counts().len(), counts);
        for index in 0..collection.samples.len() {
            let name = files.name(index);
            assert!(!name.starts_with('/') && !name.split('/').any(|part| part == ".."));
            let samples = collection.samples.clone();
            let (read, rise) = watched(|| samples.get(index));
            taken.reading = taken.reading.max(rise);
            match read {
                Ok(sample) if of_objects => {
                    let Target::Objects(objects) = sample.target else {
                        panic!("{name} has no objects");
                    };
                    let classes = collection.labels.count();
                    for object in objects {
                        assert!(object.class < classes && object.bounds.is_finite());
                    }
                    taken.images += 1;
                }
                Ok(sample) => {
                    let groups = collection.labels.groups();
                    assert_eq!(sample.target.classes().len(), groups.len());
                    for (label, group) in groups.iter().enumerate() {
                        let class = sample.target.of(label);
                        assert!(class.is_none_or(|class| class < group.classes.len()));
                        let mask = sample.masks.of(label).map(|mask| mask.dimensions());
                        assert!(mask.is_none_or(|size| size == sample.image.dimensions()));
                    }
                    taken.images += 1;
                }
                Err(error) => {
                    assert!(error.is_damage());
                    taken.causes.push(refused(error));
                }
            }
        }
    }
    let (verified, rise) = watched(|| verify(&path, 0));
    taken.opening = taken.opening.max(rise);
    if let Err(error) = verified {
        taken.causes.push(refused(error));
    }
    assert!(
        started.elapsed() < LONGEST,
        "it took {:?}",
        started.elapsed()
    );
    taken
}

/// The file of that number.
fn case(seeds: &[Vec<u8>], seed: u64, number: u64) -> (Mutation, Vec<u8>) {
    let mut rng = generator(seed, number);
    let mutation = Mutation::ALL[rng.random_range(0..Mutation::ALL.len())];
    let start = &seeds[rng.random_range(0..seeds.len())];
    let other = &seeds[rng.random_range(0..seeds.len())];
    // A third changes files as they are; the others, single pieces, and all checksums stay right.
    if rng.random_range(0..3_u32) == 0 {
        let mut bytes = start.clone();
        mutation.apply(&mut bytes, other, &mut rng);
        return (mutation, bytes);
    }
    let (mut pieces, other) = (Pieces::of(start), Pieces::of(other));
    let bytes = match rng.random_range(0..6_u32) {
        0 => {
            mutation.apply(&mut pieces.names, &other.names, &mut rng);
            pieces.file(|_, _| {})
        }
        1 => {
            mutation.apply(&mut pieces.contents, &other.contents, &mut rng);
            pieces.file(|_, _| {})
        }
        2 => {
            number_of_contents(&mut pieces.contents, &mut rng);
            pieces.file(|_, _| {})
        }
        3 => {
            let changed = rng.random_range(0..pieces.entries.len());
            let piece = rng.random_range(1..3);
            let donor = &other.entries[0][piece];
            mutation.apply(&mut pieces.entries[changed][piece], donor, &mut rng);
            pieces.file(|_, _| {})
        }
        4 => pieces.file(|header, _| mutation.apply(header, &other.header, &mut rng)),
        _ => pieces.file(|_, records| {
            let changed = rng.random_range(0..records.len() / RECORD) * RECORD;
            let mut record = records[changed..][..RECORD].to_vec();
            mutation.apply(&mut record, &other.entries[0][0], &mut rng);
            record.resize(RECORD, 0);
            sign(&mut record);
            records[changed..][..RECORD].copy_from_slice(&record);
        }),
    };
    (mutation, bytes)
}

/// Another number where there is one in the list of classes.
fn number_of_contents(contents: &mut Vec<u8>, rng: &mut impl Rng) {
    let digits: Vec<usize> = (0..contents.len())
        .filter(|at| contents[*at].is_ascii_digit())
        .collect();
    if digits.is_empty() {
        return;
    }
    let at = digits[rng.random_range(0..digits.len())];
    let numbers = ["0", "1", "5", "4294967296", "18446744073709551615", "-1"];
    let number = numbers[rng.random_range(0..numbers.len())];
    contents.splice(at..=at, number.bytes());
}

/// The start of a cause, without its numbers and names.
fn kind(cause: &str) -> String {
    let told = cause.split(';').next().unwrap_or_default();
    let told = told.split_once("PACK").map_or(told, |(_, told)| told);
    let told: String = told.chars().filter(|letter| !letter.is_numeric()).collect();
    told.chars().take(60).collect()
}

#[test]
fn mutated_packs_are_read_or_refused() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let seeds = seeds(folder.path());
    let (seed, first) = (
        setting("ABN_HOSTILE_SEED", 1),
        setting("ABN_HOSTILE_FIRST", 0),
    );
    let cases = setting("ABN_HOSTILE_CASES", 100_000);
    let started = Instant::now();
    let mut taken: BTreeMap<Mutation, (usize, usize)> = BTreeMap::new();
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    let mut highest = (0, 0);
    for number in first..first + cases {
        let (mutation, bytes) = case(&seeds, seed, number);
        let judged = catch_unwind(|| judge(folder.path(), &bytes));
        let judged = judged.unwrap_or_else(|_| panic!("seed {seed}, case {number} ({mutation:?})"));
        assert!(
            judged.opening <= CONSTANT + 8 * bytes.len() && judged.reading <= DECODED,
            "seed {seed}, case {number} took {} and {} bytes for {}",
            judged.opening,
            judged.reading,
            bytes.len()
        );
        let counts = taken.entry(mutation).or_default();
        counts.0 += usize::from(judged.images > 0);
        counts.1 += usize::from(judged.images == 0);
        for cause in judged.causes {
            *causes.entry(kind(&cause)).or_default() += 1;
        }
        highest = (judged.opening.max(highest.0), judged.reading.max(highest.1));
    }
    println!(
        "seed {seed}: at most {highest:?} bytes, {:?}",
        started.elapsed()
    );
    println!("{taken:?}\n{causes:#?}");
    if cases >= 10_000 {
        assert!(
            taken.len() == Mutation::ALL.len()
                && taken
                    .values()
                    .all(|(read, refused)| *read.min(refused) >= 20),
            "{taken:?}"
        );
        // Each check had its share.
        for word in [
            "is not a pack",
            "a pack of version",
            "bytes: expected",
            "its SHA-",
            "its list of classes",
            "its classes have an",
            "its parts are not",
            "it counts more",
            "its names are not",
            "lengths of its names",
            "outside o",
            "contradicts itself",
            "has another place",
            "the entries end",
            "is none",
            "its fingerprint is",
            "its checksum is",
            "its list of labels is",
            "its list of labels ends",
            "class that its label lacks",
            "for nothing that is known",
            "masks are not those",
            "holds no pixel",
            "when it was packed",
        ] {
            let found = causes.iter().filter(|(cause, _)| cause.contains(word));
            let found: usize = found.map(|(_, count)| count).sum();
            assert!(
                found >= 3,
                "only {found} files were refused with `{word}`: {causes:#?}"
            );
        }
    }
}

#[test]
fn a_pack_comes_back_from_its_pieces() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    for seed in seeds(folder.path()) {
        assert!(Pieces::of(&seed).file(|_, _| {}) == seed);
    }
}

#[test]
fn memory_is_bounded_by_the_file() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    // Pixels of 4 GB that are promised by a file that has none of them.
    let seed = seeds(folder.path()).remove(1);
    for (at, value) in [(8, u32::MAX - 3), (12, u32::MAX), (104, u32::MAX)] {
        let promise = |_: &mut Vec<u8>, records: &mut Vec<u8>| {
            put(records, at, &value.to_le_bytes());
            if at == 8 {
                put(records, 16, &[255, 255, 0, 0, 85, 85, 0, 0]);
            }
            sign(&mut records[..RECORD]);
        };
        let judged = judge(folder.path(), &Pieces::of(&seed).file(promise));
        assert_eq!(judged.images, 0);
        assert!(judged.opening < CONSTANT, "{}", judged.opening);
    }
}

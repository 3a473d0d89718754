//! Files that somebody damaged, by chance or on purpose: functions of (seed, number).

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Ways to change a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mutation {
    Truncate,
    FlipBits,
    Overwrite,
    Insert,
    Duplicate,
    SwapBlocks,
    Splice,
    /// Opcodes and their arguments, behind the checksums of the container.
    Pickle,
    /// Numbers and types in the header of safetensors.
    Header,
    /// Fields of a zip's or tar's directory.
    Directory,
    /// Entries of a zip renamed, dropped, exchanged, compressed.
    Entries,
}

impl Mutation {
    pub(crate) const ALL: [Self; 11] = [
        Self::Truncate,
        Self::FlipBits,
        Self::Overwrite,
        Self::Insert,
        Self::Duplicate,
        Self::SwapBlocks,
        Self::Splice,
        Self::Pickle,
        Self::Header,
        Self::Directory,
        Self::Entries,
    ];

    /// Whether it has something to change in a file of that format.
    fn suits(self, format: Format) -> bool {
        match self {
            Self::Pickle => format != Format::Safetensors,
            Self::Header => format == Format::Safetensors,
            Self::Directory => matches!(format, Format::Zip | Format::Tar),
            Self::Entries => format == Format::Zip,
            _ => true,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Zip,
    Tar,
    Legacy,
    Safetensors,
}

struct Seed {
    extension: String,
    format: Format,
    bytes: Vec<u8>,
}

/// A mutated file.
pub(crate) struct Case {
    pub(crate) extension: String,
    pub(crate) mutation: Mutation,
    pub(crate) bytes: Vec<u8>,
}

/// The files that mutations start from.
pub(crate) struct Seeds(Vec<Seed>);

impl Seeds {
    pub(crate) fn load() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/checkpoints");
        let files = ["good", "bad"]
            .iter()
            .flat_map(|part| fs::read_dir(folder.join(part)).unwrap());
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        let load = |path: &std::path::PathBuf| {
            let bytes = fs::read(path).unwrap();
            let extension = path.extension().unwrap().to_str().unwrap().to_owned();
            let format = match &bytes[..] {
                _ if extension == "safetensors" => Format::Safetensors,
                [b'P', b'K', ..] => Format::Zip,
                [0x80, ..] => Format::Legacy,
                _ => Format::Tar,
            };
            Seed {
                extension,
                format,
                bytes,
            }
        };
        Self(paths.iter().map(load).collect())
    }

    pub(crate) fn contains(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|seed| seed.bytes == bytes)
    }

    /// The file of that number: the same for the same seed, whatever was made before.
    pub(crate) fn case(&self, seed: u64, number: u64) -> Case {
        let mut rng = Pcg64::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mutation = Mutation::ALL[rng.random_range(0..Mutation::ALL.len())];
        let suitable: Vec<&Seed> = self
            .0
            .iter()
            .filter(|seed| mutation.suits(seed.format))
            .collect();
        let start = suitable[rng.random_range(0..suitable.len())];
        let other = &self.0[rng.random_range(0..self.0.len())];
        let mut bytes = start.bytes.clone();
        for _ in 0..[1, 1, 1, 3][rng.random_range(0..4)] {
            apply(mutation, &mut bytes, start.format, &other.bytes, &mut rng);
        }
        Case {
            extension: start.extension.clone(),
            mutation,
            bytes,
        }
    }
}

fn apply(
    mutation: Mutation,
    bytes: &mut Vec<u8>,
    format: Format,
    other: &[u8],
    rng: &mut impl Rng,
) {
    if bytes.is_empty() {
        return;
    }
    match mutation {
        Mutation::Truncate => bytes.truncate(at(bytes, rng)),
        Mutation::FlipBits => {
            let at = at(bytes, rng);
            bytes[at] ^= 1 << rng.random_range(0..8_u32);
        }
        Mutation::Overwrite => {
            let at = at(bytes, rng);
            overwrite(bytes, at, rng);
        }
        Mutation::Insert => {
            let at = at(bytes, rng);
            let value = interesting(rng);
            bytes.splice(at..at, value);
        }
        Mutation::Duplicate => {
            let block = block(bytes, rng);
            let copies = bytes[block.clone()].repeat([1, 2, 20][rng.random_range(0..3)]);
            bytes.splice(block.end..block.end, copies);
        }
        Mutation::SwapBlocks => {
            let (one, two) = (block(bytes, rng), block(bytes, rng));
            for (a, b) in one.zip(two) {
                bytes.swap(a, b);
            }
        }
        Mutation::Splice => {
            let (from, to) = (at(other, rng), at(bytes, rng));
            bytes.truncate(to);
            bytes.extend_from_slice(&other[from..]);
        }
        Mutation::Pickle => in_container(bytes, format, rng, change_pickle),
        Mutation::Header => change_header(bytes, rng),
        Mutation::Directory => change_directory(bytes, format, rng),
        Mutation::Entries => change_entries(bytes, rng),
    }
}

fn at(bytes: &[u8], rng: &mut impl Rng) -> usize {
    rng.random_range(0..bytes.len().max(1))
}

fn block(bytes: &[u8], rng: &mut impl Rng) -> std::ops::Range<usize> {
    let start = at(bytes, rng);
    start..(start + rng.random_range(1..100_usize)).min(bytes.len())
}

/// Values at which programs go wrong.
fn interesting(rng: &mut impl Rng) -> Vec<u8> {
    const NUMBERS: [u64; 14] = [
        0,
        1,
        0x7f,
        0x80,
        0xff,
        0xffff,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        1 << 40,
        1 << 62,
        i64::MAX as u64,
        i64::MIN as u64,
        u64::MAX,
    ];
    let number = if rng.random() {
        NUMBERS[rng.random_range(0..NUMBERS.len())]
    } else {
        rng.random()
    };
    number.to_le_bytes()[..[1, 2, 4, 8][rng.random_range(0..4)]].to_vec()
}

fn overwrite(bytes: &mut [u8], at: usize, rng: &mut impl Rng) {
    for (byte, value) in bytes.iter_mut().skip(at).zip(interesting(rng)) {
        *byte = value;
    }
}

/// Changes the pickles of a container whose checksums stay right.
fn in_container<R: Rng>(
    bytes: &mut Vec<u8>,
    format: Format,
    rng: &mut R,
    change: fn(&mut Vec<u8>, &mut R),
) {
    match format {
        Format::Zip => {
            let Some(mut entries) = entries(bytes) else {
                return;
            };
            for (_, content) in entries
                .iter_mut()
                .filter(|(name, _)| name.ends_with("data.pkl"))
            {
                change(content, rng);
            }
            *bytes = zip(&entries, CompressionMethod::Stored);
        }
        Format::Tar => {
            // The entries of a tar lie in blocks of 512 bytes; what is changed in place needs no
            // other header.
            let start = [512, 1024, 1536][rng.random_range(0..3)].min(bytes.len());
            let end = (start + rng.random_range(1..4096_usize)).min(bytes.len());
            let mut content = bytes[start..end].to_vec();
            change(&mut content, rng);
            content.resize(end - start, 0);
            bytes[start..end].copy_from_slice(&content);
            repair_tar(bytes);
        }
        Format::Legacy | Format::Safetensors => change(bytes, rng),
    }
}

fn change_pickle<R: Rng>(pickle: &mut Vec<u8>, rng: &mut R) {
    const SNIPPETS: [&[u8]; 30] = [
        b"h\x00",
        b"h\x05",
        b"q\x00",
        b"q\x05",
        b"2",
        b"2\x86",
        b"(",
        b"t",
        b"e",
        b"u",
        b"s",
        b"a",
        b"R",
        b"b",
        b"0",
        b"1",
        b"N",
        b".",
        b"Q",
        b"}",
        b"]",
        b")",
        b"\x94",
        b"\x81",
        b"K\xff",
        b"J\xff\xff\xff\xff",
        b"\x8a\x08\0\0\0\0\0\0\0\x40",
        b"cposix\nsystem\n",
        b"ctorch\nBoolStorage\n",
        b"X\xff\xff\xff\x7f",
    ];
    let numbers: Vec<usize> = (0..pickle.len())
        .filter(|at| b"KMJhqjrXU\x8a".contains(&pickle[*at]))
        .collect();
    match rng.random_range(0..6_u32) {
        // An argument.
        0..=2 if !numbers.is_empty() => {
            let at = numbers[rng.random_range(0..numbers.len())] + 1;
            overwrite(pickle, at, rng);
        }
        // A small number, as shapes and strides are.
        3 if !numbers.is_empty() => {
            let at = numbers[rng.random_range(0..numbers.len())] + 1;
            if let Some(byte) = pickle.get_mut(at) {
                *byte = rng.random_range(0..12);
            }
        }
        4 => {
            let at = at(pickle, rng);
            let snippet = SNIPPETS[rng.random_range(0..SNIPPETS.len())];
            let times = [1, 1, 1, 3, 300][rng.random_range(0..5)];
            pickle.splice(at..at, snippet.repeat(times));
        }
        _ => {
            let block = block(pickle, rng);
            let snippet = SNIPPETS[rng.random_range(0..SNIPPETS.len())];
            pickle.splice(
                block.start..(block.start + snippet.len()).min(pickle.len()),
                snippet.iter().copied(),
            );
        }
    }
}

/// Replaces a number or a type in the JSON of a safetensors file; its length follows, most times.
fn change_header(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
    let Some(length) = bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else {
        return;
    };
    let Some(end) = usize::try_from(length)
        .ok()
        .and_then(|length| length.checked_add(8))
        .filter(|end| *end <= bytes.len())
    else {
        return;
    };
    let text = String::from_utf8_lossy(&bytes[8..end]).into_owned();
    const VALUES: [&str; 14] = [
        "0",
        "1",
        "2",
        "3",
        "7",
        "-1",
        "4294967295",
        "9223372036854775807",
        "18446744073709551615",
        "1e9",
        "\"F64\"",
        "[]",
        "null",
        "{\"a\":[[[[[[[[]]]]]]]]}",
    ];
    const TYPES: [&str; 8] = [
        "F64", "F16", "BF16", "I64", "BOOL", "F8_E4M3", "F4", "nonsense",
    ];
    let is_digit = |at: &usize| text.as_bytes()[*at].is_ascii_digit();
    let digits: Vec<usize> = (0..text.len()).filter(is_digit).collect();
    let text = match rng.random_range(0..4_u32) {
        0..=1 if !digits.is_empty() => {
            let start = digits[rng.random_range(0..digits.len())];
            let stop = start + text[start..].bytes().take_while(u8::is_ascii_digit).count();
            format!(
                "{}{}{}",
                &text[..start],
                VALUES[rng.random_range(0..VALUES.len())],
                &text[stop..]
            )
        }
        2 => text.replacen("F16", TYPES[rng.random_range(0..TYPES.len())], 1),
        _ => {
            let value = interesting(rng);
            for (byte, value) in bytes.iter_mut().zip(value) {
                *byte = value;
            }
            return;
        }
    };
    bytes.splice(8..end, text.bytes());
    bytes[..8].copy_from_slice(&(text.len() as u64).to_le_bytes());
}

/// Overwrites a field of a header: after a zip's signature, or in a tar's block with its checksum
/// made right.
fn change_directory(bytes: &mut [u8], format: Format, rng: &mut impl Rng) {
    if format == Format::Tar {
        let header = 512 * rng.random_range(0..(bytes.len() / 512).max(1));
        let field = [0, 124, 124, 124, 156, 156, 257, 345, 386, 483][rng.random_range(0..10)];
        if let (true, Some(kind)) = (field == 156, bytes.get_mut(header + 156)) {
            *kind = b"012457SLKxgVX"[rng.random_range(0..13)];
        } else {
            overwrite(bytes, header + field, rng);
        }
        repair_tar(bytes);
        return;
    }
    let signatures: Vec<usize> = (0..bytes.len().saturating_sub(4))
        .filter(|at| bytes[*at..].starts_with(b"PK") && bytes[at + 2] < 9)
        .collect();
    if !signatures.is_empty() {
        let at = signatures[rng.random_range(0..signatures.len())] + rng.random_range(4..46_usize);
        overwrite(bytes, at, rng);
    }
}

/// Makes the checksums of all blocks that look like headers right.
pub(crate) fn repair_tar(bytes: &mut [u8]) {
    for header in bytes
        .chunks_exact_mut(512)
        .filter(|block| block[257..].starts_with(b"ustar"))
    {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

fn change_entries(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
    let Some(mut entries) = entries(bytes) else {
        return;
    };
    if entries.is_empty() {
        return;
    }
    let (one, two) = (
        rng.random_range(0..entries.len()),
        rng.random_range(0..entries.len()),
    );
    let mut method = CompressionMethod::Stored;
    match rng.random_range(0..6_u32) {
        0 => drop(entries.remove(one)),
        1 => {
            let name = entries[two].0.clone();
            entries[one].0 = format!("{name}x");
        }
        2 => {
            let content = entries[two].1.clone();
            entries[one].1 = content;
        }
        3 => {
            let length = at(&entries[one].1, rng);
            entries[one].1.truncate(length);
        }
        4 => {
            let at = at(&entries[one].1, rng);
            overwrite(&mut entries[one].1, at, rng);
        }
        _ => method = CompressionMethod::Deflated,
    }
    *bytes = zip(&entries, method);
}

pub(crate) type Entries = Vec<(String, Vec<u8>)>;

fn entries(bytes: &[u8]) -> Option<Entries> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let count = archive.len();
    let read = |index| {
        let mut entry = archive.by_index(index).ok()?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        Some((entry.name().ok()?.into_owned(), content))
    };
    (0..count).map(read).collect()
}

pub(crate) fn zip(entries: &Entries, method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = SimpleFileOptions::default().compression_method(method);
        // Of two entries of one name the first stays.
        if writer.start_file(name.as_str(), options).is_ok() {
            writer.write_all(content).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

//! Where the pickles lie in what `torch.save` wrote over the years, each checked before any is
//! read.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::{CompressionMethod, ZipArchive, ZipReadOptions};

use super::cause::{CUT_OFF, Cause, Result, require};
use super::pickle::{self, Allowance};

/// Names and shapes of a ResNet-56 and its optimizer take 100 KB.
const LARGEST_PICKLE: u64 = 16 << 20;
/// The number that the format of PyTorch 0.1.10 to 1.5 starts with, as protocol 2 writes it.
const LEGACY: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The same in the decimals of protocols 0 and 1.
const LEGACY_TEXT: &[u8] = b"119547037146038801333356";
/// Magic number, version, machine, content, and the list of storages.
const LEGACY_PICKLES: usize = 5;

/// Checks that a file can be given to the reader: its pickles are harmless and nothing in it
/// expands.
///
/// # Errors
/// It is damaged, hostile, or not what `torch.save` writes.
pub(super) fn check(path: &Path) -> Result<()> {
    let mut head = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut head)?;
    // The order matters: the reader looks for them in the same one.
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        check_zip(path)
    } else if head.get(257..262) == Some(b"ustar") {
        check_tar(&std::fs::read(path)?)
    } else {
        let start = &head[..head.len().min(64)];
        let begins = |magic: &[u8]| start.windows(magic.len()).any(|window| window == magic);
        require(begins(&LEGACY) || begins(LEGACY_TEXT), || {
            "it does not start like anything that torch.save or safetensors write".to_owned()
        })?;
        check_legacy(path)
    }
}

/// Since PyTorch 1.6: a zip without compression.
fn check_zip(path: &Path) -> Result<()> {
    let cut_off = |error| {
        Cause::new(format!(
            "its zip directory cannot be read ({error}): {CUT_OFF}"
        ))
    };
    let mut archive = ZipArchive::new(BufReader::new(File::open(path)?)).map_err(cut_off)?;
    let mut allowance = Allowance::of_a_file();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(cut_off)?;
        let name = entry.name().map_err(cut_off)?.into_owned();
        require(!name.ends_with(".npy"), || {
            "it holds arrays of NumPy, as Chainer's snapshots do, and torch.save writes none; of the \
             first code for facial attributes checkpoints/README.md says why it cannot be read"
                .to_owned()
        })?;
        require(entry.compression() == CompressionMethod::Stored, || {
            format!(
                "`{name}` in it is compressed, which torch.save does not do; save the weights again \
             with torch.save"
            )
        })?;
        if !name.ends_with("data.pkl") {
            continue;
        }
        let size = entry.size();
        require(size <= LARGEST_PICKLE, || {
            format!("`{name}` in it claims {size} bytes, more than any checkpoint needs")
        })?;
        drop(entry);
        // The reader compares checksums, and knows files that are written without.
        let options = ZipReadOptions::new().ignore_crc32(true);
        let entry = archive
            .by_index_with_options(index, options)
            .map_err(cut_off)?;
        let mut bytes = Vec::new();
        entry
            .take(LARGEST_PICKLE)
            .read_to_end(&mut bytes)
            .map_err(|_| Cause::new(CUT_OFF))?;
        pickle::check(&bytes, &mut allowance)?;
    }
    Ok(())
}

/// PyTorch 0.1.10 to 1.5: pickles one after the other, then the storages.
fn check_legacy(path: &Path) -> Result<()> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST_PICKLE)
        .read_to_end(&mut bytes)?;
    let mut allowance = Allowance::of_a_file();
    let mut rest = &bytes[..];
    for _ in 0..LEGACY_PICKLES {
        rest = &rest[pickle::check(rest, &mut allowance)?.length..];
    }
    Ok(())
}

/// Before PyTorch 0.1.10: a tar of four files.
fn check_tar(bytes: &[u8]) -> Result<()> {
    let mut allowance = Allowance::of_a_file();
    let mut rest = bytes;
    while let Some((header, after)) = rest.split_first_chunk::<512>() {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let (name, size) = tar_entry(header)?;
        let Some(content) = after.get(..size) else {
            return Err(Cause::new(format!(
                "its entry `{name}` ends too early: {CUT_OFF}"
            )));
        };
        match name.trim_start_matches("./") {
            "sys_info" | "pickle" => {
                pickle::check(content, &mut allowance)?;
            }
            "storages" => check_tar_storages(content, &mut allowance)?,
            "tensors" => check_tar_tensors(content, &mut allowance)?,
            _ => {}
        }
        rest = after.get(size.next_multiple_of(512)..).unwrap_or_default();
    }
    require(rest.iter().all(|byte| *byte == 0), || {
        format!("something follows the end of the archive: {CUT_OFF}")
    })?;
    Ok(())
}

/// Name and size of a usual file: others, such as sparse ones, can be larger than what holds them.
fn tar_entry(header: &[u8; 512]) -> Result<(String, usize)> {
    let field = |bytes: &[u8]| {
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).trim().to_owned()
    };
    let name = field(&header[..100]);
    let usual = matches!(header[156], 0 | b'0') && header[345..].iter().all(|byte| *byte == 0);
    require(usual, || {
        format!("its entry `{name}` is no usual file, which torch.save does not write")
    })?;
    let Ok(size) = usize::from_str_radix(&field(&header[124..136]), 8) else {
        return Err(Cause::new(format!(
            "its entry `{name}` has no size: {CUT_OFF}"
        )));
    };
    Ok((name, size))
}

/// A count; for each storage a pickle, its number of elements and these; the list of views.
fn check_tar_storages(mut rest: &[u8], allowance: &mut Allowance) -> Result<()> {
    for _ in 0..count(&mut rest, allowance)? {
        let storage = pickle::check(rest, allowance)?;
        let width = match storage.class {
            Some(b"DoubleStorage" | b"LongStorage") => 8,
            Some(b"FloatStorage" | b"IntStorage") => 4,
            Some(b"HalfStorage" | b"BFloat16Storage" | b"ShortStorage") => 2,
            Some(b"CharStorage" | b"ByteStorage" | b"BoolStorage") => 1,
            _ => {
                return Err(Cause::new(format!(
                    "a storage in it has no known type: {CUT_OFF}"
                )));
            }
        };
        rest = &rest[storage.length..];
        let elements = rest.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let bytes = elements.and_then(|elements| elements.checked_mul(width)?.checked_add(8));
        rest = bytes
            .and_then(|bytes| rest.get(usize::try_from(bytes).ok()?..))
            .ok_or_else(|| Cause::new(CUT_OFF))?;
    }
    pickle::check(rest, allowance).map(drop)
}

/// A count; for each tensor a pickle, its rank in eight bytes, sizes, strides and offset.
fn check_tar_tensors(mut rest: &[u8], allowance: &mut Allowance) -> Result<()> {
    for _ in 0..count(&mut rest, allowance)? {
        rest = &rest[pickle::check(rest, allowance)?.length..];
        let rank = rest
            .first_chunk()
            .map(|bytes| u32::from_le_bytes(*bytes))
            .ok_or_else(|| Cause::new(CUT_OFF))?;
        require(rank <= 64, || {
            format!("a tensor in it has {rank} dimensions: {CUT_OFF}")
        })?;
        rest = rest
            .get(8 + 16 * rank as usize + 8..)
            .ok_or_else(|| Cause::new(CUT_OFF))?;
    }
    Ok(())
}

fn count(rest: &mut &[u8], allowance: &mut Allowance) -> Result<i64> {
    let checked = pickle::check(rest, allowance)?;
    *rest = &rest[checked.length..];
    checked
        .number
        .ok_or_else(|| Cause::new(format!("a count in it is no number: {CUT_OFF}")))
}

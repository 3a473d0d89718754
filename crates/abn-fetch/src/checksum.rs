//! Checksums, computed while bytes pass by.

use std::fmt;

use md5::Md5;
use sha2::{Digest, Sha256};

/// A published checksum, in lower-case hexadecimal digits.
///
/// MD5 shows damage and mistaken files. It does not protect from an attacker, who can make another
/// file of the same sum; nor does it have to, where the address is `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// 32 digits, as `md5sum` prints them.
    Md5(&'static str),
    /// 64 digits, as `sha256sum` prints them.
    Sha256(&'static str),
}

impl Checksum {
    /// What the checksum is called.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Md5(_) => "MD5",
            Self::Sha256(_) => "SHA-256",
        }
    }

    /// The digits.
    pub fn digits(self) -> &'static str {
        match self {
            Self::Md5(digits) | Self::Sha256(digits) => digits,
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.digits())
    }
}

/// What is known of a file that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// Its size.
    pub bytes: u64,
    /// 64 hexadecimal digits, as `sha256sum` prints them.
    pub sha256: String,
    /// 32 hexadecimal digits, where the published checksum is an MD5.
    pub md5: Option<String>,
}

impl Sums {
    /// The sum of the kind of `published`. It is there if the sums were made for `published`.
    pub(crate) fn like(&self, published: Checksum) -> &str {
        match published {
            Checksum::Md5(_) => self.md5.as_deref().unwrap_or_default(),
            Checksum::Sha256(_) => &self.sha256,
        }
    }
}

/// Sums of the bytes so far.
#[derive(Debug, Clone)]
pub(crate) struct Summing {
    bytes: u64,
    sha256: Sha256,
    md5: Option<Md5>,
}

impl Summing {
    /// SHA-256, and what `published` needs.
    pub(crate) fn new(published: Option<Checksum>) -> Self {
        Self {
            bytes: 0,
            sha256: Sha256::new(),
            md5: matches!(published, Some(Checksum::Md5(_))).then(Md5::new),
        }
    }

    pub(crate) fn add(&mut self, block: &[u8]) {
        self.bytes += block.len() as u64;
        self.sha256.update(block);
        if let Some(md5) = &mut self.md5 {
            md5.update(block);
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn finish(self) -> Sums {
        Sums {
            bytes: self.bytes,
            sha256: hexadecimal(&self.sha256.finalize()),
            md5: self.md5.map(|md5| hexadecimal(&md5.finalize())),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_the_standard_example() {
        let mut summing = Summing::new(Some(Checksum::Md5("")));
        summing.add(b"a");
        summing.add(b"bc");
        let sums = summing.finish();
        assert_eq!(sums.bytes, 3);
        assert_eq!(sums.md5.unwrap(), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            sums.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}

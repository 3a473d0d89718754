//! The choice of the instruction set at run time.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use super::Kernel;
use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512, portable};

/// The instruction sets that the kernels are compiled for. All give the same bits, but for
/// [`Portable`](Self::Portable) on a machine that is not [`fused`](Self::is_fused).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    /// Eight lanes of whatever the compiler's target has: SSE2 on x86-64, NEON on AArch64; with
    /// fused multiply-add where the machine has it.
    Portable,
    /// AVX2 with fused multiply-add, on x86-64.
    Avx2,
    /// AVX-512 F, on x86-64.
    Avx512,
    /// The vectors and tiles of AVX-512 in plain Rust, slow: what a machine that has AVX-512 would
    /// compute, for tests on others. Never the [`best`](Self::best).
    Wide,
}

/// The environment variable that chooses the instruction set instead of the best of the machine.
pub(crate) const VARIABLE: &str = "ABN_INSTRUCTIONS";

impl InstructionSet {
    const ALL: [Self; 4] = [Self::Portable, Self::Avx2, Self::Avx512, Self::Wide];

    /// The one that everything here computes with: what the environment variable
    /// `ABN_INSTRUCTIONS` names, `portable`, `avx2` or `avx512`, else the best of this machine.
    ///
    /// # Errors
    /// The variable names another word, or what this machine lacks.
    pub fn chosen() -> Result<Self, InstructionsError> {
        static CHOSEN: OnceLock<Result<InstructionSet, InstructionsError>> = OnceLock::new();
        CHOSEN
            .get_or_init(|| match std::env::var_os(VARIABLE) {
                None => Ok(Self::best()),
                Some(word) if word.is_empty() => Ok(Self::best()),
                Some(word) => word.to_string_lossy().parse(),
            })
            .clone()
    }

    /// [`chosen`](Self::chosen), for those who asked for it before.
    ///
    /// # Panics
    /// There is no such set; the message is that of the error.
    pub fn in_use() -> Self {
        Self::chosen().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The best of this machine.
    pub fn best() -> Self {
        Self::available()
            .into_iter()
            .rfind(|set| *set != Self::Wide)
            .expect("the portable set is always there")
    }

    /// All of this machine.
    pub fn available() -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|set| set.is_available())
            .collect()
    }

    /// Whether products are fused into sums, `a * b + c` with one rounding. Only on a machine
    /// without that instruction they are not, whose results so differ in their last bits from those
    /// of every other machine.
    pub fn is_fused(self) -> bool {
        match self {
            Self::Avx2 | Self::Avx512 => true,
            Self::Portable | Self::Wide => portable_is_fused(),
        }
    }

    /// Values of a vector.
    pub(crate) fn lanes(self) -> usize {
        match self {
            Self::Portable | Self::Avx2 => 8,
            Self::Avx512 | Self::Wide => 16,
        }
    }

    /// Rows of a register tile.
    pub(crate) fn tile(self) -> usize {
        match self {
            Self::Portable if !self.is_fused() => 2,
            Self::Portable | Self::Avx2 => 6,
            Self::Avx512 | Self::Wide => 14,
        }
    }

    /// Output channels of a panel of weights: two vectors, or one where that holds all.
    pub(crate) fn panel(self, channels: usize) -> usize {
        if channels > self.lanes() {
            2 * self.lanes()
        } else {
            self.lanes()
        }
    }

    fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        match self {
            Self::Portable | Self::Wide => true,
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Avx512 => is_x86_feature_detected!("avx512f") && Self::Avx2.is_available(),
        }
        #[cfg(not(target_arch = "x86_64"))]
        matches!(self, Self::Portable | Self::Wide)
    }

    /// Runs a kernel with these instructions.
    ///
    /// # Panics
    /// The machine lacks them.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        assert!(self.is_available(), "this machine has no {self}");
        match self {
            // SAFETY: the machine has the instruction.
            #[cfg(target_arch = "x86_64")]
            Self::Portable if portable_is_fused() => unsafe { portable::run_fused::<K, 8>(kernel) },
            // SAFETY: the same.
            #[cfg(target_arch = "x86_64")]
            Self::Wide if portable_is_fused() => unsafe { portable::run_fused::<K, 16>(kernel) },
            Self::Portable => kernel.run::<Portable<8, FUSED>>(),
            Self::Wide => kernel.run::<Portable<16, FUSED>>(),
            // SAFETY: the machine has the instructions, as asserted above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2::run(kernel) },
            // SAFETY: the same.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { avx512::run(kernel) },
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => unreachable!("not available"),
        }
    }
}

/// Whether every machine of the compiler's target has fused multiply-add.
const FUSED: bool = cfg!(target_arch = "aarch64");

fn portable_is_fused() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    FUSED
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Wide => "wide",
        })
    }
}

/// Of a set that this machine has.
impl FromStr for InstructionSet {
    type Err = InstructionsError;

    fn from_str(word: &str) -> Result<Self, InstructionsError> {
        let known = Self::ALL.into_iter().find(|set| set.to_string() == word);
        match known {
            None => Err(InstructionsError::Unknown(word.to_owned())),
            Some(set) if set.is_available() => Ok(set),
            Some(set) => Err(InstructionsError::Lacking(set)),
        }
    }
}

/// Why there is no such instruction set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstructionsError {
    /// No set has this name.
    Unknown(String),
    /// This machine does not have it.
    Lacking(InstructionSet),
}

impl fmt::Display for InstructionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = InstructionSet::available();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let there = format!("this machine has {}", names.join(", "));
        match self {
            Self::Unknown(word) => {
                write!(f, "{VARIABLE}: `{word}` is no instruction set; {there}")
            }
            Self::Lacking(set) => write!(f, "{VARIABLE}: this machine has no {set}; {there}"),
        }
    }
}

impl std::error::Error for InstructionsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_has_its_name() {
        for set in InstructionSet::available() {
            assert_eq!(set.to_string().parse(), Ok(set));
        }
        let error = "sse9".parse::<InstructionSet>().unwrap_err().to_string();
        assert!(
            error.starts_with(
                "ABN_INSTRUCTIONS: `sse9` is no instruction set; this machine has portable"
            ),
            "{error}"
        );
    }
}

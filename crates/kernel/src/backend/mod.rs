//! Instruction sets, chosen at run time: one algorithm over the small vocabulary of [`vector::Vector`], one file per
//! instruction set that says it. `unsafe` lives in those files alone; a new set (NEON, WASM) is one more such file.

#[cfg(all(target_arch = "x86_64", feature = "std"))]
mod avx2;
#[cfg(all(target_arch = "x86_64", feature = "std"))]
mod avx512;
pub(crate) mod batch;
mod field;
mod portable;
#[cfg(all(target_arch = "x86_64", feature = "std"))]
mod q15;
pub(crate) mod solo;
mod vector;

use core::fmt;
use core::str::FromStr;

/// An instruction set on which oscillators evolve. All of them give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// Plain Rust, on every machine.
    Portable,
    /// 256-bit vectors of x86-64.
    Avx2,
    /// 512-bit vectors of x86-64: AVX-512 F and BW.
    Avx512,
}

/// A backend that was asked for and cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// No backend has this name.
    #[error("unknown backend: expected portable, avx2 or avx512")]
    Unknown,
    /// This processor or build lacks the instructions.
    #[error("backend {0} is not available on this machine; leave the choice to the program, or ask for portable")]
    Unavailable(Backend),
}

impl Backend {
    /// Every backend there is, slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// The fastest backend of this machine.
    #[must_use]
    pub fn detect() -> Self {
        let [portable, ..] = Self::ALL;
        Self::ALL.into_iter().rev().find(|b| b.is_available()).unwrap_or(portable)
    }

    /// The backends of this machine, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|b| b.is_available())
    }

    /// Whether this machine has the instructions.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            Self::Avx2 => avx2::Avx2::detect().is_some(),
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            Self::Avx512 => avx512::Avx512::detect().is_some(),
            #[cfg(not(all(target_arch = "x86_64", feature = "std")))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The backend of this name, if this machine has it.
    ///
    /// # Errors
    /// [`BackendError`] for a name that is none and for instructions that are missing: never another one silently.
    pub fn from_name(name: &str) -> Result<Self, BackendError> {
        let backend = Self::ALL.into_iter().find(|b| b.name() == name).ok_or(BackendError::Unknown)?;
        if backend.is_available() { Ok(backend) } else { Err(BackendError::Unavailable(backend)) }
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = BackendError;

    fn from_str(name: &str) -> Result<Self, BackendError> {
        Self::from_name(name)
    }
}

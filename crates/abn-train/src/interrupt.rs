//! Ctrl-C: the first asks for a checkpoint and a clean end, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use crate::terminal;

/// Exit status of a program that was interrupted (128 + SIGINT), as shells expect it.
pub const EXIT_CODE: u8 = 130;

/// Whether the user asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to listen for Ctrl-C and SIGTERM.
    ///
    /// # Errors
    /// The system refuses the handler.
    pub fn listen() -> Result<Self> {
        Self::listen_and(true)
    }

    /// The same in a process among several: one of them says that it stops.
    ///
    /// # Errors
    /// The system refuses the handler.
    pub fn listen_and(say_so: bool) -> Result<Self> {
        let interrupt = Self::default();
        let asked = interrupt.clone();
        ctrlc::set_handler(move || {
            if asked.0.swap(true, Ordering::SeqCst) {
                std::process::exit(EXIT_CODE.into());
            }
            if say_so {
                terminal::note("\nstopping after this step; press Ctrl-C again to stop at once");
            }
        })
        .context("cannot listen for Ctrl-C")?;
        Ok(interrupt)
    }

    /// Whether to stop at the next opportunity.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Asks to stop as Ctrl-C does.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// From here on nothing is left to save: Ctrl-C ends the program at once.
    pub fn end_at_once(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

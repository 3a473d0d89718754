//! Fetching from servers that behave and from servers that do not, and unpacking what should not be
//! unpacked. Everything is served by this process: no test needs a network.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

mod archives;
mod downloads;
mod encrypted;
mod hostile;
mod made;
mod mutants;
mod places;
mod proxies;
mod server;
mod support;

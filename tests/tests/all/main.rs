//! One test binary: what the project promises, checked from outside.
#![allow(clippy::unwrap_used)] // A test that cannot go on should panic.

mod attributes;
mod bad_input;
mod browser;
mod case;
mod checkpoints;
mod cifar;
mod commands;
mod counts;
mod data_commands;
mod data_sets;
mod deletion;
mod documents;
mod exchange;
mod explain;
mod explanations;
mod fixtures;
mod folder;
mod golden;
mod gradients;
mod labels;
mod mixed_attention;
mod networks;
mod package_fixtures;
mod pages;
mod pictures;
mod program;
mod properties;
mod resize;
mod resume;
mod road;
mod score;
mod stability;
mod sweep;
mod unreadable;
mod zoo;

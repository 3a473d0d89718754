//! The machine and the day.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Threads that the machine runs at once.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Our name, version and commit.
pub(crate) fn version() -> String {
    let arguments = [
        "-C",
        env!("CARGO_MANIFEST_DIR"),
        "describe",
        "--always",
        "--dirty",
    ];
    let output = Command::new("git")
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success());
    let commit =
        output.map(|output| format!(" ({})", String::from_utf8_lossy(&output.stdout).trim()));
    format!(
        "abn {}{}",
        env!("CARGO_PKG_VERSION"),
        commit.unwrap_or_default()
    )
}

/// The most memory that this process ever had resident, in bytes; known on Linux.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(1024 * line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?)
}

/// The share of the machine that works while this program does not: other people's processes, which
/// make the measurements worthless. Takes a second; known on Linux.
pub(crate) fn share_in_use() -> Option<f64> {
    let (idle, all) = processor_time()?;
    std::thread::sleep(Duration::from_secs(1));
    let (idle_later, all_later) = processor_time()?;
    Some(1.0 - (idle_later - idle) / (all_later - all).max(1.0))
}

/// Time that all cores together were idle, and all their time.
fn processor_time() -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let times = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace();
    let times: Vec<f64> = times.filter_map(|time| time.parse().ok()).collect();
    // user, nice, system, idle, waiting for input and output, ...; guests are counted twice.
    Some((times.get(3)? + times.get(4)?, times.iter().take(8).sum()))
}

/// What the processor calls itself, or else its kind.
pub(crate) fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    named
        .map_or(std::env::consts::ARCH, |(_, name)| name.trim())
        .to_owned()
}

/// Today in UTC, as 2026-11-22.
pub(crate) fn today() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    date(now.as_secs() / 86_400)
}

/// The date that many days after the first of January 1970.
fn date(mut days: u64) -> String {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_days() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_818, "2026-12-31"),
        ] {
            assert_eq!(date(days), expected);
        }
    }
}

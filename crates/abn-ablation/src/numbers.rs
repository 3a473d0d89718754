//! Numbers as page and tables write them.

use abn_pages::numbers::grouped;

use crate::statistics::Estimate;

/// What stands where there is no figure.
pub(crate) const NONE: &str = "–";

/// The number with its sign, a real minus, and as many decimals as the papers print.
pub(crate) fn signed(value: f64) -> String {
    let text = format!("{value:+.2}").replace('-', "−");
    // A zero has no direction.
    if matches!(text.as_str(), "+0.00" | "−0.00") {
        "0.00".to_owned()
    } else {
        text
    }
}

/// An interval.
pub(crate) fn span(low: f64, high: f64) -> String {
    format!("{} to {}", signed(low), signed(high))
}

/// Mean and spread.
pub(crate) fn estimate(estimate: &Estimate) -> String {
    let spread = estimate
        .spread
        .map(|spread| format!(" ± {spread:.2}"))
        .unwrap_or_default();
    format!("{:.2}{spread}", estimate.mean)
}

/// So many of something.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    format!(
        "{} {thing}{}",
        grouped(count as f64),
        if count == 1 { "" } else { "s" }
    )
}

/// How many runs of those planned are finished.
pub(crate) fn runs(finished: usize, planned: usize) -> String {
    match finished {
        0 => "not yet".to_owned(),
        _ if finished < planned => format!("{finished} of {}", counted(planned, "run")),
        _ => counted(finished, "run"),
    }
}

/// Three significant digits, with commas between thousands.
pub(crate) fn significant(value: f64) -> String {
    match value.abs() {
        size if size < 1.0 => format!("{value:.3}"),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => grouped(value),
    }
}

/// The number without zeros at its end.
pub(crate) fn trimmed(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_real_and_zero_has_none() {
        let values = [0.611, -0.2, 1.419, -0.001, 0.0];
        assert_eq!(
            values.map(signed),
            ["+0.61", "−0.20", "+1.42", "0.00", "0.00"]
        );
        assert_eq!(span(-0.2, 1.419), "−0.20 to +1.42");
    }

    #[test]
    fn numbers_have_the_digits_that_say_something() {
        let values = [0.2719, 1.746, 41.29, 612.4, 25_557_032.0];
        assert_eq!(
            values.map(significant),
            ["0.272", "1.75", "41.3", "612", "25,557,032"]
        );
        assert_eq!(
            [0.05, 0.1, 0.0731, 1.0].map(trimmed),
            ["0.05", "0.1", "0.0731", "1"]
        );
    }

    #[test]
    fn unfinished_rows_say_how_far_they_are() {
        assert_eq!(
            [(0, 3), (2, 3), (3, 3), (1, 1)].map(|(finished, planned)| runs(finished, planned)),
            ["not yet", "2 of 3 runs", "3 runs", "1 run"]
        );
    }

    #[test]
    fn a_single_run_has_no_spread() {
        assert_eq!(
            estimate(&Estimate {
                runs: 2,
                mean: 31.466,
                spread: Some(0.219)
            }),
            "31.47 ± 0.22"
        );
        assert_eq!(
            estimate(&Estimate {
                runs: 1,
                mean: 31.466,
                spread: None
            }),
            "31.47"
        );
    }
}

//! Numbers as pages write them.

/// Rounding error allowed in a quotient before it counts as beyond a step.
const SLACK: f64 = 1e-9;

/// A fraction as percent with one decimal.
pub fn percent(fraction: f64) -> String {
    if fraction.is_finite() {
        format!("{:.1}%", fraction * 100.0)
    } else {
        "not finite".to_owned()
    }
}

/// A whole number with commas between thousands.
pub fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && text != "-" {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds in the two largest units that matter.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown".to_owned();
    }
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{:.1} s", seconds.max(0.0)),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Four significant digits, as a power of ten where the number would be long.
pub fn significant(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => "not finite".to_owned(),
        0.0 => "0".to_owned(),
        size if !(1e-4..1e6).contains(&size) => format!("{value:.2e}"),
        size => format!("{value:.*}", (3.0 - size.log10().floor()).max(0.0) as usize),
    }
}

/// Four significant digits without trailing zeros.
pub fn short(value: f64) -> String {
    let text = significant(value);
    if text.contains('.') && !text.contains('e') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

/// The step of a scale: 1, 2 or 5 times a power of ten that is not below `rough`.
pub fn nice_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let lead = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|lead| lead * power >= rough * (1.0 - SLACK))
        .unwrap_or(10.0);
    lead * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [0.0, 999.0, 1000.0, 1_234_567.0, -1000.0, -100.0].map(grouped),
            ["0", "999", "1,000", "1,234,567", "-1,000", "-100"]
        );
    }

    #[test]
    fn durations_show_two_units() {
        let shown = [4.25, 59.7, 61.0, 3599.6, 7380.0, f64::NAN].map(duration);
        assert_eq!(
            shown,
            [
                "4.2 s",
                "1 min 00 s",
                "1 min 01 s",
                "1 h 00 min",
                "2 h 03 min",
                "unknown"
            ]
        );
    }

    #[test]
    fn numbers_have_four_digits() {
        let cases = [
            (0.0, "0"),
            (2.31, "2.310"),
            (0.123456, "0.1235"),
            (4000.0, "4000"),
            (5e-7, "5.00e-7"),
        ];
        for (value, text) in cases {
            assert_eq!(significant(value), text);
        }
        assert_eq!(
            [0.001, 2.31, 4000.0, 1.0].map(short),
            ["0.001", "2.31", "4000", "1"]
        );
    }

    #[test]
    fn steps_are_one_two_or_five() {
        let steps = [0.03, 0.11, 0.4, 0.9, 1.0, 12.0].map(nice_step);
        let near = |(a, b): (f64, f64)| (a - b).abs() < 1e-12;
        let expected = [0.05, 0.2, 0.5, 1.0, 1.0, 20.0];
        assert!(steps.into_iter().zip(expected).all(near), "{steps:?}");
    }
}

//! Functions of single values and of rows of logits.
//!
//! Exponentials and logarithms are those of `libm`, whose results are the same on every machine;
//! the standard library takes them from the system.

use rayon::prelude::*;

/// Values of a part.
const PART: usize = 16 * 1024;

/// `1 / (1 + exp(-x))`.
pub fn sigmoid(input: &[f32], output: &mut [f32]) {
    each(input, output, |x| {
        if x >= 0.0 {
            1.0 / (1.0 + libm::expf(-x))
        } else {
            let exp = libm::expf(x);
            exp / (1.0 + exp)
        }
    });
}

/// `ln(1 + x)`.
pub fn log1p(input: &[f32], output: &mut [f32]) {
    each(input, output, libm::log1pf);
}

/// # Panics
/// Lengths differ.
fn each(input: &[f32], output: &mut [f32], function: impl Fn(f32) -> f32 + Sync) {
    assert_eq!(input.len(), output.len(), "output of a function");
    let parts = output.par_chunks_mut(PART).zip(input.par_chunks(PART));
    parts.for_each(|(output, input)| {
        for (output, &input) in output.iter_mut().zip(input) {
            *output = function(input);
        }
    });
}

/// The probabilities of each row of `classes` logits, into `probabilities`; gives the logarithm of
/// each row's sum of exponentials.
///
/// # Panics
/// Lengths differ, or the values are no whole rows.
pub fn softmax(classes: usize, logits: &[f32], probabilities: &mut [f32]) -> Vec<f64> {
    assert_eq!(logits.len(), probabilities.len(), "output of a softmax");
    assert!(
        classes > 0 && logits.len().is_multiple_of(classes),
        "whole rows of logits"
    );
    let rows = logits
        .par_chunks_exact(classes)
        .zip(probabilities.par_chunks_exact_mut(classes));
    rows.map(|(logits, probabilities)| {
        // `f32::max` would pass over a NaN.
        let highest = logits.iter().fold(f32::NEG_INFINITY, |highest, &logit| {
            if logit > highest || logit.is_nan() {
                logit
            } else {
                highest
            }
        });
        let exponentials: Vec<f64> = logits
            .iter()
            .map(|&logit| libm::exp(f64::from(logit) - f64::from(highest)))
            .collect();
        let sum: f64 = exponentials.iter().sum();
        for (probability, exponential) in probabilities.iter_mut().zip(exponentials) {
            *probability = (exponential / sum) as f32;
        }
        f64::from(highest) + libm::log(sum)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(function: fn(&[f32], &mut [f32]), input: f32) -> f32 {
        let mut output = [0.0];
        function(&[input], &mut output);
        output[0]
    }

    #[test]
    fn functions_at_known_places() {
        assert_eq!(of(sigmoid, 0.0), 0.5);
        assert_eq!(of(sigmoid, 200.0), 1.0);
        assert_eq!(of(sigmoid, -200.0), 0.0);
        assert!((of(sigmoid, 3.0_f32.ln()) - 0.75).abs() < 1e-7);
        assert!((of(sigmoid, -(3.0_f32.ln())) - 0.25).abs() < 1e-7);
        assert!(of(sigmoid, f32::NAN).is_nan());
        assert_eq!(of(log1p, 0.0), 0.0);
        assert!((of(log1p, 1e-6) - 1e-6).abs() < 1e-12);
    }

    #[test]
    fn softmax_of_large_and_of_broken_logits() {
        let mut probabilities = [0.0; 4];
        let logits = [1000.0, 1000.0 + 3.0_f32.ln(), -5.0, f32::NAN];
        let sums = softmax(2, &logits, &mut probabilities);
        assert!((probabilities[1] - 0.75).abs() < 1e-4, "{probabilities:?}");
        assert!((sums[0] - (1000.0 + 4.0_f64.ln())).abs() < 1e-4, "{sums:?}");
        assert!(probabilities[2].is_nan() && sums[1].is_nan());
    }
}

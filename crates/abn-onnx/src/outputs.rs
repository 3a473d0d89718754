//! From what a head learns to the logits of all classes.

use abn_core::outputs::Outputs;

use crate::graph::{Graph, Value, integer};

/// Which learned output each logit is a multiple of, and which multiple.
fn told(outputs: &Outputs) -> (Vec<i64>, Vec<f32>) {
    let (mut sources, mut factors) = (Vec::new(), Vec::new());
    for (span, classes) in outputs.learned().spans().zip(outputs.groups()) {
        // Two classes that are learned as one logit z are told as (-z/2, z/2).
        let halved = span.len() < *classes;
        for class in 0..*classes {
            sources.push(if halved {
                span.start
            } else {
                span.start + class
            } as i64);
            factors.push(match (halved, class) {
                (true, 0) => -0.5,
                (true, _) => 0.5,
                (false, _) => 1.0,
            });
        }
    }
    (sources, factors)
}

impl Graph {
    /// The logits of all classes, `[N, learned]` to `[N, K]`.
    pub(crate) fn tell(&mut self, at: &str, outputs: &Outputs, learned: &Value) -> Value {
        if outputs.learned() == Outputs::of(outputs.groups().to_vec()) {
            return learned.clone();
        }
        let (sources, factors) = told(outputs);
        let sources = self.integers(&sources);
        let columns = vec![integer("axis", 1)];
        let chosen = self.add(format!("{at}.told"), "Gather", [learned, &sources], columns);
        let factors = self.floats(&[factors.len() as i64], &factors);
        self.product(format!("{at}.told.half"), &chosen, &factors)
    }

    /// What each group's logits are under its own map: of logits `[N M, K]` of every group under
    /// every map, `[N, K]`.
    pub(crate) fn own(&mut self, at: &str, outputs: &Outputs, logits: &Value) -> Value {
        let (total, maps) = (outputs.total(), outputs.groups().len());
        let by_image = self.integers(&[-1, (maps * total) as i64]);
        let flat = self.reshape(format!("{at}.by_image"), logits, &by_image);
        let places = outputs.spans().enumerate();
        let places =
            places.flat_map(|(map, span)| span.map(move |class| (map * total + class) as i64));
        let places: Vec<i64> = places.collect();
        let places = self.integers(&places);
        self.add(
            format!("{at}.own"),
            "Gather",
            [&flat, &places],
            vec![integer("axis", 1)],
        )
    }
}

#[cfg(test)]
mod tests {
    use abn_core::outputs::Binary;

    use super::*;

    #[test]
    fn one_logit_is_told_as_two_halves() {
        let outputs = Outputs::of(vec![2, 3, 2]).with(Binary::Sigmoid);
        let (sources, factors) = told(&outputs);
        assert_eq!(sources, [0, 0, 1, 2, 3, 4, 4]);
        assert_eq!(factors, [-0.5, 0.5, 1.0, 1.0, 1.0, -0.5, 0.5]);
    }
}

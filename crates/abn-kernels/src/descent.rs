//! A step of gradient descent with momentum and weight decay, in one pass over the memory.

use rayon::prelude::*;

use crate::Buffers;

/// Values of a part.
const PART: usize = 32 * 1024;

/// A step of stochastic gradient descent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descent {
    /// Learning rate.
    pub rate: f32,
    /// Share of the previous velocity that is kept.
    pub momentum: f32,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f32,
}

impl Descent {
    /// The first step:
    ///
    /// ```text
    /// velocity = gradient + weight_decay weight      weight -= rate velocity
    /// ```
    ///
    /// `velocity` holds the gradient before.
    ///
    /// # Panics
    /// Lengths differ.
    pub fn begin(self, weight: &mut [f32], velocity: &mut [f32]) {
        assert_eq!(velocity.len(), weight.len(), "gradient of a weight");
        let parts = weight
            .par_chunks_mut(PART)
            .zip(velocity.par_chunks_mut(PART));
        parts.for_each(|(weight, velocity)| {
            for (weight, velocity) in weight.iter_mut().zip(velocity) {
                *velocity = self.decayed(*velocity, *weight);
                *weight -= *velocity * self.rate;
            }
        });
    }

    /// Every other step:
    ///
    /// ```text
    /// velocity = momentum velocity + gradient + weight_decay weight
    /// weight -= rate velocity
    /// ```
    ///
    /// # Panics
    /// Lengths differ.
    pub fn go_on(self, weight: Buffers, gradient: &[f32], velocity: &mut [f32]) {
        assert_eq!(velocity.len(), gradient.len(), "velocity of a weight");
        let others = gradient.par_chunks(PART).zip(velocity.par_chunks_mut(PART));
        match weight {
            Buffers::InPlace(weight) => {
                assert_eq!(gradient.len(), weight.len(), "gradient of a weight");
                let parts = weight.par_chunks_mut(PART).zip(others);
                parts.for_each(|(weight, (gradient, velocity))| {
                    let others = gradient.iter().zip(velocity);
                    for (weight, (&gradient, velocity)) in weight.iter_mut().zip(others) {
                        *weight = self.moved(*weight, gradient, velocity);
                    }
                });
            }
            Buffers::Apart { from, to } => {
                assert_eq!(gradient.len(), from.len(), "gradient of a weight");
                assert_eq!(to.len(), from.len(), "the next weight");
                let weight = from.par_chunks(PART).zip(to.par_chunks_mut(PART));
                let parts = weight.zip(others);
                parts.for_each(|((from, to), (gradient, velocity))| {
                    let others = gradient.iter().zip(velocity);
                    for ((&from, to), (&gradient, velocity)) in from.iter().zip(to).zip(others) {
                        *to = self.moved(from, gradient, velocity);
                    }
                });
            }
        }
    }

    #[inline(always)]
    fn moved(self, weight: f32, gradient: f32, velocity: &mut f32) -> f32 {
        *velocity = *velocity * self.momentum + self.decayed(gradient, weight);
        weight - *velocity * self.rate
    }

    #[inline(always)]
    fn decayed(self, gradient: f32, weight: f32) -> f32 {
        if self.weight_decay == 0.0 {
            gradient
        } else {
            gradient + weight * self.weight_decay
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loss w², gradient 2w: w = 1, rate 0.125, momentum 0.5, decay 1.
    #[test]
    fn two_steps_by_hand() {
        let descent = Descent {
            rate: 0.125,
            momentum: 0.5,
            weight_decay: 1.0,
        };
        let (mut weight, mut velocity) = ([1.0], [2.0]);
        descent.begin(&mut weight, &mut velocity);
        assert_eq!((weight, velocity), ([0.625], [3.0]));
        let mut moved = weight;
        let mut second = velocity;
        descent.go_on(Buffers::InPlace(&mut moved), &[1.25], &mut second);
        // 1.5 + 1.25 + 0.625
        assert_eq!((moved, second), ([0.203125], [3.375]));
        let (from, to) = (&weight[..], &mut moved[..]);
        to.fill(f32::NAN);
        descent.go_on(Buffers::Apart { from, to }, &[1.25], &mut velocity);
        assert_eq!((moved, velocity), ([0.203125], [3.375]));
    }
}

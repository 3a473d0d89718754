//! How far the attention maps move from one epoch to the next: the same few test images after each.
//!
//! A run that continues in the middle of an epoch no longer has the weights of the epoch before, so
//! their maps are part of its checkpoint.

use abn_core::explain::AttentionMap;
use abn_core::state::State;
use burn::tensor::TensorData;

/// Test images whose maps are compared: the first ones. They add 32 kB to the checkpoint of a map
/// of 16 x 16.
pub const PROBES: usize = 32;
/// Name of the tensor `[images, height, width]` that holds them.
const NAME: &str = "maps";

/// Mean absolute difference of the maps of the same images, over the pairs that are finite and of
/// one size; `None` if there is no such pair, or if one of the images could not be read this time.
pub fn drift(before: &[AttentionMap], after: &[AttentionMap]) -> Option<f64> {
    if before.len() != after.len() {
        return None;
    }
    let (mut sum, mut pairs) = (0.0, 0);
    for (one, other) in before.iter().zip(after) {
        let comparable =
            (one.height, one.width) == (other.height, other.width) && !one.values.is_empty();
        let differences = one
            .values
            .iter()
            .zip(&other.values)
            .map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
        let mean = differences.sum::<f64>() / one.values.len() as f64;
        if comparable && mean.is_finite() {
            sum += mean;
            pairs += 1;
        }
    }
    (pairs > 0).then(|| sum / f64::from(pairs))
}

/// The maps as a tensor for a checkpoint; empty without maps.
pub fn state_of_maps(maps: &[AttentionMap]) -> State {
    let Some(AttentionMap { height, width, .. }) = maps.first() else {
        return State::new();
    };
    let values: Vec<f32> = maps
        .iter()
        .flat_map(|map| map.values.iter().copied())
        .collect();
    State::from([(
        NAME.to_owned(),
        TensorData::new(values, [maps.len(), *height, *width]),
    )])
}

/// The maps that [`state_of_maps`] gave a tensor of; none from anything else.
pub fn maps_of(state: &State) -> Vec<AttentionMap> {
    let Some(data) = state.get(NAME) else {
        return Vec::new();
    };
    let [_, height, width] = data.shape().as_slice() else {
        return Vec::new();
    };
    let values: Vec<f32> = data.iter().collect();
    let maps = values.chunks_exact((height * width).max(1));
    maps.map(|map| AttentionMap {
        height: *height,
        width: *width,
        values: map.to_vec(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: &[f32]) -> AttentionMap {
        AttentionMap::new(1, values.len(), values.to_vec()).unwrap()
    }

    #[test]
    fn drift_is_the_mean_of_the_images_by_hand() {
        let before = [map(&[0.5, 0.25]), map(&[1.0, 1.0])];
        let after = [map(&[0.25, 0.5]), map(&[1.0, 0.5])];
        assert_eq!(drift(&before, &after), Some(0.25));
        assert_eq!(drift(&before, &before), Some(0.0));
        assert_eq!(
            drift(&[], &after),
            None,
            "the first epoch has none before it"
        );
    }

    #[test]
    fn broken_maps_and_other_sizes_are_left_out() {
        let before = [map(&[f32::NAN, 0.0]), map(&[0.5]), map(&[0.0, 0.0])];
        let after = [map(&[0.0, 0.0]), map(&[0.5, 0.5]), map(&[0.0, 0.5])];
        assert_eq!(drift(&before, &after), Some(0.25));
        assert_eq!(drift(&before[..2], &after[..2]), None);
    }

    #[test]
    fn maps_come_back_from_a_checkpoint_bit_by_bit() {
        let maps = [map(&[0.1, f32::MIN_POSITIVE, 1.0]), map(&[0.3, 0.7, 1e-30])];
        assert_eq!(maps_of(&state_of_maps(&maps)), maps);
        assert!(state_of_maps(&[]).is_empty() && maps_of(&State::new()).is_empty());
    }
}

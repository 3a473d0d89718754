//! Eigen-CAM (Muhammad & Yeasin 2020): the first principal component of the features, whatever the
//! class.

use burn::tensor::Tensor;

use super::AttentionMap;

/// Rounds of the power iteration; far more than features need whose first component stands out.
const ROUNDS: usize = 200;
/// Change of direction below which it has converged.
const CONVERGED: f64 = 1e-12;

/// For each image the positions' coordinates along the first principal component, the features
/// being centred over the positions as in the package pytorch-grad-cam. A component has no sign of
/// its own: it is that with which the sum of the features rises.
///
/// # Shapes
/// `[B, C, h, w]` to B maps of h x w.
pub(super) fn eigen_cam(features: Tensor<4>) -> Vec<AttentionMap> {
    let [_, channels, height, width] = features.dims();
    let values: Vec<f32> = features.into_data().iter().collect();
    let images = values.chunks_exact((channels * height * width).max(1));
    images
        .map(|image| AttentionMap {
            height,
            width,
            values: coordinates(image, channels, height * width),
        })
        .collect()
}

/// Of one image, `channels x positions` row by row.
fn coordinates(image: &[f32], channels: usize, positions: usize) -> Vec<f32> {
    let rows: Vec<Vec<f64>> = image
        .chunks_exact(positions.max(1))
        .take(channels)
        .map(centred)
        .collect();
    let sum: Vec<f64> = (0..positions)
        .map(|place| rows.iter().map(|row| row[place]).sum())
        .collect();
    // Of A = rows' transpose, positions x channels: the first left singular vector by rounds of
    // A A', then A's product with the right one, which is that vector times the singular value.
    let mut vector = normalised(&start(&rows, &sum));
    let mut length = 0.0;
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; positions];
        for row in &rows {
            let along: f64 = row.iter().zip(&vector).map(|(a, b)| a * b).sum();
            next.iter_mut()
                .zip(row)
                .for_each(|(next, a)| *next += along * a);
        }
        length = norm(&next);
        let next = normalised(&next);
        let turned = 1.0 - next.iter().zip(&vector).map(|(a, b)| a * b).sum::<f64>();
        vector = next;
        if turned.abs() < CONVERGED {
            break;
        }
    }
    let along: f64 = vector.iter().zip(&sum).map(|(a, b)| a * b).sum();
    let scale = length.sqrt() * if along < 0.0 { -1.0 } else { 1.0 };
    vector.iter().map(|value| (value * scale) as f32).collect()
}

fn centred(row: &[f32]) -> Vec<f64> {
    let mean = row.iter().map(|value| f64::from(*value)).sum::<f64>() / row.len() as f64;
    row.iter().map(|value| f64::from(*value) - mean).collect()
}

/// The channel of the largest variance, which is seldom orthogonal to the component, with a little
/// of all others.
fn start(rows: &[Vec<f64>], sum: &[f64]) -> Vec<f64> {
    let widest = rows.iter().max_by(|a, b| norm(a).total_cmp(&norm(b)));
    let widest = widest.cloned().unwrap_or_else(|| vec![0.0; sum.len()]);
    widest.iter().zip(sum).map(|(a, b)| a + 1e-3 * b).collect()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Length 1, or zeros as they are.
fn normalised(values: &[f64]) -> Vec<f64> {
    let length = norm(values);
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    values.iter().map(|value| value * scale).collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn maps(values: &[f32], shape: [usize; 4]) -> Vec<AttentionMap> {
        eigen_cam(Tensor::from_data(
            TensorData::new(values.to_vec(), shape),
            &Device::flex(),
        ))
    }

    /// Two channels, one twice the other: a single component of length sqrt(5) times the first.
    #[test]
    fn a_single_component_is_found_with_its_sign() {
        let found = &maps(&[1.0, -1.0, 2.0, 2.0, -2.0, 4.0], [1, 2, 1, 3])[0];
        let mean = 2.0 / 3.0;
        for (found, value) in found.values.iter().zip([1.0, -1.0, 2.0]) {
            let expected = 5.0_f32.sqrt() * (value - mean);
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    }

    /// Channels (3, -3, 0) and (0.5, 0.5, -1): orthogonal, the first is longer.
    #[test]
    fn the_longer_of_two_components_counts() {
        let found = &maps(&[3.0, -3.0, 0.0, 0.5, 0.5, -1.0], [1, 2, 1, 3])[0];
        let expected = [3.0, -3.0, 0.0];
        let close = |sign: f32| {
            let pairs = found.values.iter().zip(expected);
            pairs.into_iter().all(|(a, b)| (a - sign * b).abs() < 1e-3)
        };
        assert!(close(1.0) || close(-1.0), "{found:?}");
    }

    #[test]
    fn flat_features_have_no_component() {
        assert_eq!(maps(&[2.0; 8], [2, 1, 2, 2])[1].values, [0.0; 4]);
    }
}

//! How a tensor lies in memory here and there.

use burn::tensor::{Shape, TensorData};

/// What happens to a tensor between PyTorch and us. Each is its own inverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Nothing.
    Same,
    /// Linear layers lie `[inputs, outputs]` here and `[outputs, inputs]` there.
    Transposed,
    /// CBAM's code stacks maximum and mean over the channels, MANet's formula mean and maximum: the
    /// two planes of `[1, 2, k, k]` change places.
    PlanesSwapped,
}

impl Layout {
    /// The layout of the tensor of that name of ours.
    pub(super) fn of(ours: &str) -> Self {
        let parts: Vec<&str> = ours.split('.').collect();
        match parts.as_slice() {
            [.., "gate", "spatial", "conv", "weight"] => Self::PlanesSwapped,
            [.., "head" | "fc1" | "fc2", "weight"]
            | [.., "head", "layers", _, "weight"]
            | ["head", "hidden", _, "weight"]
            | ["head", "logits" | "offsets", "weight"] => Self::Transposed,
            _ => Self::Same,
        }
    }

    /// The shape there of a shape here, and the other way round.
    pub(super) fn shape(self, shape: &Shape) -> Shape {
        match (self, &shape[..]) {
            (Self::Transposed, &[rows, columns]) => Shape::from([columns, rows]),
            _ => shape.clone(),
        }
    }

    /// The tensor there of a tensor here, and the other way round; as 32-bit floats.
    pub(super) fn apply(self, data: TensorData) -> TensorData {
        let data = data.convert::<f32>();
        match (self, &data.shape()[..]) {
            (Self::Transposed, &[rows, columns]) => transposed(&data, rows, columns),
            (Self::PlanesSwapped, &[1, 2, _, _]) => planes_swapped(&data),
            _ => data,
        }
    }
}

fn transposed(data: &TensorData, rows: usize, columns: usize) -> TensorData {
    let values: Vec<f32> = data.iter::<f32>().collect();
    let turned = (0..columns * rows)
        .map(|index| values[(index % rows) * columns + index / rows])
        .collect();
    TensorData::new::<f32, _>(turned, [columns, rows])
}

fn planes_swapped(data: &TensorData) -> TensorData {
    let mut values: Vec<f32> = data.iter::<f32>().collect();
    let plane = values.len() / 2;
    values.rotate_left(plane);
    TensorData::new::<f32, _>(values, data.shape().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_weights_are_turned() {
        let layout = Layout::of("network.head.weight");
        let turned = layout.apply(TensorData::new(
            vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0],
            [2, 3],
        ));
        assert_eq!(&turned.shape()[..], [3, 2]);
        assert_eq!(
            turned.iter::<f32>().collect::<Vec<_>>(),
            [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]
        );
    }

    #[test]
    fn cbams_planes_change_places() {
        let layout = Layout::of("network.stages.0.blocks.1.gate.spatial.conv.weight");
        let swapped = layout.apply(TensorData::new(vec![1.0_f32, 2.0, 3.0, 4.0], [1, 2, 1, 2]));
        assert_eq!(
            swapped.iter::<f32>().collect::<Vec<_>>(),
            [3.0, 4.0, 1.0, 2.0]
        );
    }

    #[test]
    fn every_layout_is_its_own_inverse() {
        for name in [
            "a.fc1.weight",
            "b.gate.spatial.conv.weight",
            "c.conv.weight",
        ] {
            for shape in [vec![2, 3], vec![1, 2, 3, 3]] {
                let values: Vec<f32> = (0..shape.iter().product::<usize>())
                    .map(|value| value as f32)
                    .collect();
                let data = TensorData::new(values, shape);
                let layout = Layout::of(name);
                assert_eq!(layout.apply(layout.apply(data.clone())), data, "{name}");
            }
        }
    }
}

//! Images from their bytes.

use burn::backend::Cube;
use burn::tensor::{DType, Device, Int, Shape, Tensor, TensorData};
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::{Rows, address, argument, unfilled};
use crate::cube::images::look_up;

pub(in crate::ops) fn images_of_bytes(
    bytes: &[u8],
    table: &[[f32; 256]; 3],
    [images, height, width]: [usize; 3],
    device: &Device,
) -> Option<Tensor<4>> {
    let plain = device.clone().without_autodiff();
    let table = TensorData::new(table.as_flattened().to_vec(), [3, 256]);
    let table = Tensor::<2>::from_data(table, (&plain, DType::F32));
    let table = table.try_into_primitive::<Cube>().ok()?;
    let values = images * height * width * 3;
    let mut words = Vec::with_capacity(values.div_ceil(4));
    let (whole, rest) = bytes.as_chunks::<4>();
    words.extend(whole.iter().map(|word| i32::from_le_bytes(*word)));
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        words.push(i32::from_le_bytes(last));
    }
    words.resize(values.div_ceil(4), 0);
    let count = words.len();
    let words = Tensor::<1, Int>::from_data(TensorData::new(words, [count]), (&plain, DType::I32));
    let words = words.try_into_primitive::<Cube>().ok()?;
    let rows = Rows::filled_with(unfilled(&table, Shape::new([images, height, width, 3])));
    let client = table.client.clone();
    let dim = CubeDim::new(&client, values);
    look_up::launch(
        &client,
        calculate_cube_count_elemwise(&client, values, dim),
        dim,
        address([&words, rows.tensor()]),
        argument(&words),
        argument(&table),
        argument(rows.tensor()),
    );
    let images = Tensor::from_primitive::<Cube>(rows.into_features());
    Some(match device.is_autodiff() {
        true => Tensor::from_inner(images),
        false => images,
    })
}

use abn_kernels::roi_align::{Features, Grid, Region, align, align_backward};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::{CHANNELS, EPSILON, assert_near, double, everywhere, random};

/// The definition, sample by sample: for each region and bin its positions with their weights.
fn samples(grid: &Grid, [height, width]: [usize; 2], region: &Region) -> Vec<Vec<(usize, f64)>> {
    let [x1, y1, x2, y2] = region.bounds.map(|bound| {
        let half = if grid.aligned { 0.5 } else { 0.0 };
        bound * grid.scale - half
    });
    let side = |from: f64, to: f64| {
        let side = to - from;
        if grid.aligned {
            side.max(0.0)
        } else {
            side.max(1.0)
        }
    };
    let bin = [
        side(y1, y2) / grid.bins[0] as f64,
        side(x1, x2) / grid.bins[1] as f64,
    ];
    let count = bin.map(|bin| match grid.samples {
        0 => (bin.ceil() as usize).max(1),
        samples => samples,
    });
    let corners = |place: f64, len: usize| -> Vec<(usize, f64)> {
        if place < -1.0 || place > len as f64 {
            return vec![];
        }
        let place = place.max(0.0);
        let low = place.floor() as usize;
        if low >= len - 1 {
            return vec![(len - 1, 1.0)];
        }
        let share = place - low as f64;
        vec![(low, 1.0 - share), (low + 1, share)]
    };
    let mut bins = vec![];
    for row in 0..grid.bins[0] {
        for column in 0..grid.bins[1] {
            let mut taken = vec![];
            for iy in 0..count[0] {
                for ix in 0..count[1] {
                    let y = y1 + bin[0] * (row as f64 + (iy as f64 + 0.5) / count[0] as f64);
                    let x = x1 + bin[1] * (column as f64 + (ix as f64 + 0.5) / count[1] as f64);
                    for (row, of_row) in corners(y, height) {
                        for (column, of_column) in corners(x, width) {
                            let weight = of_row * of_column / (count[0] * count[1]) as f64;
                            taken.push((row * width + column, weight));
                        }
                    }
                }
            }
            bins.push(taken);
        }
    }
    bins
}

fn cases() -> Vec<(Features, Grid, Vec<Region>)> {
    let mut cases = vec![];
    for (number, channels) in CHANNELS.into_iter().enumerate() {
        for (size, bins) in [([1, 1], [2, 3]), ([9, 14], [7, 7]), ([25, 13], [3, 2])] {
            let mut rng = Pcg64::seed_from_u64(number as u64);
            let features = Features {
                batch: 1 + number % 3,
                channels,
                size,
            };
            let grid = Grid {
                bins,
                samples: number % 4,
                scale: [1.0, 0.5, 0.25][number % 3],
                aligned: number % 2 == 1,
            };
            let most = 30.0 / grid.scale;
            let region = |_| {
                let mut place = || rng.random_range(-0.2..1.0) * most;
                let (x, y) = (place(), place());
                let bounds = [x, y, x + place().abs(), y + place().abs()];
                let image = rng.random_range(0..features.batch);
                Region { image, bounds }
            };
            cases.push((features, grid, (0..number * 2).map(region).collect()));
        }
    }
    cases
}

#[test]
fn regions_and_their_gradients_are_those_of_the_definition() {
    for (features, grid, regions) in cases() {
        let Features {
            batch,
            channels,
            size,
        } = features;
        let positions = size[0] * size[1];
        let input = random(1, batch * positions * channels);
        let of_region = grid.bins[0] * grid.bins[1];
        let gradient = random(2, regions.len() * of_region * channels);
        let (values, slope) = (double(&input), double(&gradient));
        let mut expected = vec![0.0; slope.len()];
        let mut of_input = vec![0.0; values.len()];
        let mut bound = vec![1e-30; values.len()];
        for (number, region) in regions.iter().enumerate() {
            for (bin, taken) in samples(&grid, size, region).into_iter().enumerate() {
                let bin = (number * of_region + bin) * channels;
                for (position, weight) in taken {
                    let position = (region.image * positions + position) * channels;
                    for channel in 0..channels {
                        expected[bin + channel] += weight * values[position + channel];
                        let part = weight * slope[bin + channel];
                        of_input[position + channel] += part;
                        bound[position + channel] += part.abs();
                    }
                }
            }
        }
        let context = format!("{features:?} {grid:?} {} regions", regions.len());
        everywhere(
            |set| {
                let mut output = vec![f32::NAN; gradient.len()];
                align(set, &grid, &features, &regions, &input, &mut output);
                let mut back = vec![f32::NAN; input.len()];
                align_backward(set, &grid, &features, &regions, &gradient, &mut back);
                vec![output, back]
            },
            |found| {
                // A few roundings of values up to 3.
                assert_near(&found[0], &expected, |_| 40.0 * EPSILON, &context);
                assert_near(
                    &found[1],
                    &of_input,
                    |index| 100.0 * EPSILON * bound[index],
                    &context,
                );
            },
        );
    }
}

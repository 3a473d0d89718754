use abn_kernels::layout::{to_channels_first, to_channels_last};

use crate::{CHANNELS, POSITIONS, everywhere, random};

#[test]
fn values_change_places_there_and_back() {
    for channels in CHANNELS {
        for positions in POSITIONS.into_iter().chain([16, 31, 1024]) {
            for batch in [1, 3] {
                let image = channels * positions;
                if batch * image > 600_000 {
                    continue;
                }
                let planes = random(1, batch * image);
                let expected: Vec<f32> = (0..batch * image)
                    .map(|at| {
                        let (position, channel) = (at % image / channels, at % channels);
                        planes[at / image * image + channel * positions + position]
                    })
                    .collect();
                everywhere(
                    |set| {
                        let [mut last, mut first] =
                            [vec![f32::NAN; planes.len()], vec![f32::NAN; planes.len()]];
                        to_channels_last(set, channels, positions, &planes, &mut last);
                        to_channels_first(set, channels, positions, &last, &mut first);
                        vec![last, first]
                    },
                    |actual| {
                        assert!(
                            actual[0] == expected && actual[1] == planes,
                            "{batch} x {positions} x {channels}"
                        )
                    },
                );
            }
        }
    }
}

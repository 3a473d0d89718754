use abn_kernels::layout::{
    join_channels, put_channels, split_channels, to_channels_first, to_channels_last,
};

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

#[test]
fn channels_lie_beside_each_other_and_come_apart() {
    for positions in [0, 1, 255, 600] {
        let channels = [3, 5];
        let [first, second] = [(1, 3), (2, 5)].map(|(seed, count)| random(seed, positions * count));
        let mut joined = vec![f32::NAN; positions * 8];
        join_channels(channels, [&first, &second], &mut joined);
        for (at, row) in joined.chunks_exact(8).enumerate() {
            assert_eq!(row[..3], first[3 * at..][..3]);
            assert_eq!(row[3..], second[5 * at..][..5]);
        }
        let mut put = vec![f32::NAN; joined.len()];
        put_channels([3, 8], &first, 0, &mut put);
        put_channels([5, 8], &second, 3, &mut put);
        assert_eq!(put, joined);
        let [mut a, mut b] = [vec![f32::NAN; first.len()], vec![f32::NAN; second.len()]];
        split_channels(channels, &joined, [&mut a, &mut b]);
        assert_eq!([a, b], [first, second]);
    }
}

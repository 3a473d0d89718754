//! ROAD removes what the package pytorch-grad-cam removes, and makes up the same for it, on numbers
//! that `tests/fixtures/road/make.py` wrote.

use abn_core::explain::{AttentionMap, First, imputed, removed};

use crate::package_fixtures::{fixture, numbers};

/// What a sparse solver and conjugate gradients may differ by; the noise on it is 0.01.
const TOLERANCE: f32 = 2e-3;

#[test]
fn what_is_removed_and_made_up_is_that_of_the_package() {
    let fixture = fixture("road");
    let side = |name: &str| fixture[name].as_u64().unwrap() as usize;
    let (height, width) = (side("height"), side("width"));
    let image = numbers(&fixture["image"]);
    let planes: Vec<&[f32]> = image.chunks_exact(height * width).collect();
    let map = AttentionMap::new(height, width, numbers(&fixture["map"])).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let percentile = case["percentile"].as_u64().unwrap() as usize;
        let first = match case["first"].as_str().unwrap() {
            "most" => First::Most,
            _ => First::Least,
        };
        let removed = removed(&map, percentile, first);
        let found = imputed(&planes, &removed, height, width, None).concat();
        let expected = numbers(&case["image"]);
        for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let kept = !removed[place % removed.len()];
            let near = if kept { 1e-5 } else { TOLERANCE };
            assert!(
                (found - expected).abs() <= near,
                "{first:?} {percentile} at {place}: {found} is not {expected}"
            );
        }
    }
}

//! Deletion shows a network the images that Quantus' PixelFlipping shows it, on numbers that
//! `tests/fixtures/deletion/make.py` wrote.

use abn_core::explain::{AttentionMap, Curve, replaced};

use crate::package_fixtures::{fixture, numbers};

#[test]
fn the_same_pixels_go_at_every_step_and_score_the_same() {
    let fixture = fixture("deletion");
    let number = |name: &str| fixture[name].as_u64().unwrap() as usize;
    let [height, width, steps] = ["height", "width", "steps"].map(number);
    let (image, weights) = (numbers(&fixture["image"]), numbers(&fixture["weights"]));
    let map = AttentionMap::new(height, width, numbers(&fixture["map"])).unwrap();
    let shown = fixture["shown"].as_array().unwrap();
    let scores = numbers(&fixture["scores"]);
    assert_eq!((shown.len(), scores.len()), (steps, steps));
    let gone: Vec<Vec<bool>> = replaced(&map, [height, width], steps).collect();
    // Quantus leaves out the whole image.
    assert!(gone[0].iter().all(|gone| !gone));
    let mut probabilities = Vec::new();
    for ((gone, shown), score) in gone[1..].iter().zip(shown).zip(&scores) {
        let left = gone.iter().zip(&image);
        let left: Vec<f32> = left
            .map(|(gone, value)| if *gone { 0.0 } else { *value })
            .collect();
        assert_eq!(left, numbers(shown));
        let own: f32 = left.iter().zip(&weights).map(|(a, b)| a * b).sum();
        assert!((own - score).abs() < 1e-4, "{own} is not {score}");
        probabilities.push(f64::from(own));
    }
    // Quantus takes the area over the number of steps, we over the share of the pixels.
    let area = Curve { probabilities }.area() * (steps - 1) as f64;
    let expected = fixture["area"].as_f64().unwrap();
    assert!((area - expected).abs() < 1e-3, "{area} is not {expected}");
}

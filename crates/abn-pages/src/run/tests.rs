use abn_core::explain::AttentionMap;
use abn_run::measure::attributes::{Attributes, Counts, Scores};
use abn_run::measure::best::BestFigure;
use abn_run::measure::records::{
    Figures, GroupFigures, Hits, Inverted, InvertedClass, LeftOut, MapHealth, Pointing, Summary,
};
use image::{GrayImage, Luma, RgbImage};

use super::*;
use crate::gallery::Verdict;

fn summary(loss: f64, top1: f64) -> Summary {
    Summary {
        images: 2000,
        loss,
        perception_loss: loss / 2.0,
        attention_loss: Some(loss / 2.0),
        map_loss: None,
        figures: Figures::Label(Hits { top1, top5: 0.99 }),
    }
}

fn record(epoch: usize, loss: f64, top1: f64) -> EpochRecord {
    let maps = MapHealth {
        mean: 0.4,
        spread: 0.1,
        constant: 0.0,
        zero: 0.0,
        one: 0.0,
        not_finite: 0.0,
        entropy: Some(0.9),
        saturated: Some(0.2),
        drift: (epoch > 1).then_some(0.05),
        between: Some(0.08),
        gain: Some(1.2),
        effect: Some(0.3),
    };
    EpochRecord {
        epoch,
        learning_rate: 0.1,
        train: summary(loss, top1),
        test: summary(loss, top1),
        maps: Some(maps),
        best: epoch <= 2,
    }
}

fn shot(label: &str, correct: bool) -> Shot {
    Shot {
        image: RgbImage::new(4, 4),
        map: Some(AttentionMap::new(2, 2, vec![0.1, 0.2, 0.3, 0.4]).unwrap()),
        map_of: None,
        file: None,
        mask: Some(GrayImage::from_pixel(4, 4, Luma([255]))),
        verdicts: vec![Verdict {
            group: None,
            label: label.to_owned(),
            predicted: "egret".to_owned(),
            probability: 0.75,
            correct,
        }],
    }
}

fn finished() -> Report {
    let pointing = Pointing {
        images: 500,
        trained: 0.812,
        untrained: 0.25,
        chance: 0.125,
    };
    Report {
        title: "resnet20 on shapes".to_owned(),
        epochs: vec![
            record(1, 2.0, 0.5),
            record(2, 1.0, 0.75),
            record(3, 1.5, 0.625),
        ],
        results: Some(Results {
            epochs: 3,
            best_epoch: 2,
            best: summary(1.0, 0.75),
            last: summary(1.5, 0.625),
            pointing: Some(pointing),
            pointing_by_label: Vec::new(),
            inverted: Vec::new(),
            left_out: None,
        }),
        gallery: vec![shot("egret", true), shot("slug", false)],
        settings: vec![("seed".to_owned(), "1".to_owned())],
        ..Report::default()
    }
}

#[test]
fn images_that_could_not_be_read_are_told() {
    let notice = "3 training and 1 test images could not be read";
    let mut report = finished();
    assert!(!render(&report).contains("could not be read"));
    let results = report.results.as_mut().unwrap();
    results.left_out = Some(LeftOut { train: 3, test: 1 });
    assert!(render(&report).contains(notice));
}

#[test]
fn classes_with_inverted_maps_are_named() {
    let mut report = finished();
    assert!(!render(&report).contains("inverted"));
    let results = report.results.as_mut().unwrap();
    results.inverted = vec![InvertedClass {
        class: "bars".to_owned(),
        images: 50,
        reason: Inverted::Auc(0.08),
    }];
    assert!(render(&report).contains("Grad-CAM: bars (AUC 8.0 %)."));
}

#[test]
fn a_finished_run_shows_its_best_epoch_and_the_pointing_game() {
    let html = render(&finished());
    for text in [
        "75.0%",
        "best epoch, 2 of 3",
        "on 2,000 test images",
        "81.2%",
        "25.0%",
        "12.5%",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("not finished"));
    assert_eq!(
        html.matches("<tr class=\"best\">").count(),
        1,
        "the best so far at epoch 1 is not marked"
    );
    assert_eq!(
        html.matches("<svg").count(),
        9,
        "top-1, loss, branches, maps, their shape, drift, effect and scale, rate"
    );
    assert_eq!(
        html.matches("<img").count(),
        4,
        "each image and its overlay"
    );
}

#[test]
fn an_unfinished_run_shows_the_best_so_far() {
    let html = render(&Report {
        results: None,
        ..finished()
    });
    assert!(html.contains("not finished. Its last epoch so far is 3."));
    assert!(html.contains("best epoch so far, 2") && !html.contains("Pointing game"));
    let html = render(&Report::default());
    assert!(html.contains("has not finished an epoch yet") && !html.contains("<svg"));
}

#[test]
fn a_run_without_attention_has_no_map_charts() {
    let mut report = finished();
    for record in &mut report.epochs {
        record.maps = None;
        record.test.attention_loss = None;
    }
    assert_eq!(
        render(&report).matches("<svg").count(),
        3,
        "top-1, loss, rate"
    );
}

#[test]
fn a_run_of_an_earlier_version_has_no_shape_and_drift_of_maps() {
    let mut report = finished();
    assert!(render(&report).contains("Drift is how far"));
    for record in &mut report.epochs {
        let old = record.maps.map(|maps| MapHealth {
            entropy: None,
            saturated: None,
            drift: None,
            between: None,
            gain: None,
            effect: None,
            ..maps
        });
        record.maps = old;
    }
    let html = render(&report);
    assert_eq!(
        html.matches("<svg").count(),
        5,
        "top-1, loss, branches, maps, rate"
    );
    assert!(!html.contains("Drift is how far"));
}

#[test]
fn maps_in_trouble_are_reported_in_words() {
    let mut report = finished();
    assert!(!render(&report).contains("Of the attention maps"));
    if let Some(maps) = &mut report.epochs[2].maps {
        (maps.constant, maps.zero) = (0.5, 0.25);
    }
    let expected =
        "Of the attention maps of the last epoch, 25.0% are 0 everywhere, 50.0% are constant.";
    assert!(render(&report).contains(expected));
}

#[test]
fn numbers_that_are_not_finite_are_words_on_the_page() {
    let mut report = finished();
    report.epochs[1] = record(2, f64::NAN, f64::INFINITY);
    report.gallery[0].verdicts[0].probability = f64::NAN;
    let html = render(&report);
    assert!(html.contains("not finite") && !html.contains("NaN") && !html.contains(">inf"));
}

#[test]
fn all_text_is_escaped() {
    let evil = "<script>alert('x')</script>\"";
    let mut report = finished();
    (report.title, report.subtitle) = (evil.to_owned(), evil.to_owned());
    report.settings = vec![(evil.to_owned(), evil.to_owned())];
    report.gallery = vec![shot(evil, false)];
    report.gallery[0].verdicts[0].predicted = evil.to_owned();
    let html = render(&report);
    assert!(!html.contains("<script"));
    // Twice the title and the subtitle once, two settings, label, two alternative texts,
    // prediction.
    assert_eq!(
        html.matches("&lt;script&gt;alert('x')&lt;/script&gt;&quot;")
            .count(),
        9
    );
}

#[test]
fn the_page_loads_nothing() {
    let html = render(&finished());
    for outside in [
        "http://", "https://", "//cdn", "@import", "url(", "<script", "src=\"/",
    ] {
        assert!(!html.contains(outside), "{outside}");
    }
    let sources = html.matches("src=\"").count();
    assert_eq!(
        sources,
        html.matches("src=\"data:image/png;base64,").count()
    );
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn every_element_is_closed() {
    let html = render(&finished());
    let void = ["meta", "link", "img"];
    let mut open = vec![];
    for tag in html.split('<').skip(1).filter(|tag| !tag.starts_with('!')) {
        let name = tag
            .trim_start_matches('/')
            .split([' ', '>'])
            .next()
            .unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !void.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn several_labels_have_figures_lines_and_verdicts_of_their_own() {
    let group = |name: &str, top1| GroupFigures {
        name: name.to_owned(),
        hits: Hits { top1, top5: 1.0 },
    };
    let mut report = finished();
    for record in &mut report.epochs {
        record.test.figures = Figures::Labels {
            mean_top1: 0.625,
            all_right: 0.375,
            groups: vec![group("fine", 0.5), group("coarse", 0.75)],
            attributes: None,
        };
    }
    report.results = None;
    let said = |group: &str, correct| Verdict {
        group: Some(group.to_owned()),
        label: "oak".to_owned(),
        predicted: "maple".to_owned(),
        probability: 0.5,
        correct,
    };
    report.gallery[0].verdicts = vec![said("fine", false), said("coarse", true)];
    let html = render(&report);
    for text in [
        "Mean top-1",
        "All right",
        "fine top-1",
        "coarse top-1",
        "Test top-1 of each label",
        "best test mean top-1",
        "<th scope=\"col\">test all right</th>",
    ] {
        assert!(html.contains(text), "{text}");
    }
    let correct = html.split("Correct predictions").nth(1).unwrap();
    let correct = correct.split("Wrong predictions").next().unwrap();
    assert!(correct.contains("None among"), "one label of two is wrong");
}

/// Two labels of which the second is told better than by who always says the same.
#[test]
fn labels_of_two_classes_have_curves_and_a_table_by_gain() {
    let counts = |right, positive, found| Counts {
        images: 10,
        right,
        positive,
        found,
    };
    let labels = [("young", counts(7, 3, 0)), ("smiling", counts(9, 5, 4))];
    let scores = |present: usize| {
        let mut scores = Scores::default();
        (0..10).for_each(|image| scores.add(-(image as f32), Some(image < present)));
        scores
    };
    let found = Attributes::of(labels.into_iter(), 10).with(&[scores(3), scores(5)]);
    let mut report = finished();
    for record in &mut report.epochs {
        record.test.figures = Figures::Labels {
            mean_top1: found.mean_accuracy,
            all_right: 0.5,
            groups: Vec::new(),
            attributes: Some(found.clone()),
        };
    }
    report.results = None;
    report.best = Some(BestFigure::Map);
    let html = render(&report);
    for text in [
        "Test figures of all labels",
        "balanced accuracy",
        "best test mAP",
        "best epoch so far by mAP, 2",
        "<th scope=\"col\">test mAP</th>",
        "<td>+40.0</td>",
    ] {
        assert!(html.contains(text), "{text}");
    }
    let place = |name: &str| {
        html.find(&format!("<th scope=\"row\">{name}</th>"))
            .unwrap()
    };
    assert!(place("smiling") < place("young"));
}

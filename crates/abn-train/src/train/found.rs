//! The pictures of a detector's report: the first test images with what is in them and what is found.

use abn_boxes::BoundingBox;
use abn_data::{Collection, Counts, Dataset};
use abn_pages::boxes::{BoxedShot, Marked, Verdict};
use abn_run::detector_session::DetectorSession;
use anyhow::Result;

/// Pictures of the report.
const SHOTS: usize = 12;
/// Detections below this score are not shown: a detector says a lot that it does not believe.
const SHOWN: f64 = 0.5;
/// Overlap from which on an object counts as found.
const OVERLAP: f64 = 0.5;

/// The first images that can be read.
///
/// # Errors
/// A map has no values.
pub(crate) fn found(session: &DetectorSession, images: &Collection) -> Result<Vec<BoxedShot>> {
    let mut shots = Vec::new();
    for index in 0..images.samples.len() {
        if shots.len() == SHOTS {
            break;
        }
        let Ok(sample) = images.samples.get(index) else {
            continue;
        };
        let view = session.view_of(sample.image)?;
        let output = session.look_at(&view)?;
        let classes = &session.config.labels;
        let objects = sample.target.objects();
        let truth: Vec<(BoundingBox, usize)> = objects
            .iter()
            .filter(|object| object.counts == Counts::Fully)
            .map(|object| (object.bounds, object.class))
            .collect();
        let sure = output.found.iter().filter(|found| found.score >= SHOWN);
        let mut taken = vec![false; truth.len()];
        let found = sure.map(|detection| Marked {
            bounds: detection.bounds,
            class: session.class(detection).to_owned(),
            verdict: match is_right(&truth, &mut taken, &detection.bounds, detection.label) {
                true => Verdict::Right(detection.score),
                false => Verdict::Wrong(detection.score),
            },
        });
        let mut marked: Vec<Marked> = found.collect();
        let missed = truth.iter().zip(&taken).filter(|(_, taken)| !**taken);
        marked.extend(missed.map(|((bounds, class), _)| Marked {
            bounds: *bounds,
            class: classes.name(0, *class).to_owned(),
            verdict: Verdict::Missed,
        }));
        shots.push(BoxedShot {
            image: view.picture,
            map: output.map,
            marked,
        });
    }
    Ok(shots)
}

/// Whether a detection finds an object that no better one has found.
fn is_right(
    truth: &[(BoundingBox, usize)],
    taken: &mut [bool],
    bounds: &BoundingBox,
    label: usize,
) -> bool {
    let free = truth
        .iter()
        .enumerate()
        .filter(|(place, (_, class))| !taken[*place] && class + 1 == label);
    let best = free
        .map(|(place, (object, _))| (place, object.iou(bounds)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b));
    match best {
        Some((place, overlap)) if overlap >= OVERLAP => {
            taken[place] = true;
            true
        }
        _ => false,
    }
}

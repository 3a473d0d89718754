//! Classes whose attention map is inverted: darker on the object than beside it, or where objects
//! are not known against the order of Grad-CAM. A network may learn such maps without harm to its
//! accuracy, and they mislead whoever looks at them.

use std::collections::{BTreeMap, BTreeSet};

use abn_core::explain::{ForwardPass, Layer, Method, rank_correlation};
use abn_data::{Labels, Loader, Target};

use super::evaluate::images_of;
use super::records::{Inverted, InvertedClass};
use crate::RunError;
use crate::session::Session;

/// Fewest images of a class of which anything is said.
const FEWEST: usize = 8;
/// Standard errors by which a mean has to lie on the wrong side: 95 % of a normal distribution.
const SURE: f64 = 1.96;
/// Images of which the map is compared with Grad-CAM, chosen by chance.
const COMPARED: usize = 500;

/// The mean of a figure over some images.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ImageMean {
    images: usize,
    sum: f64,
    squares: f64,
}

impl ImageMean {
    /// That of these values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut mean = Self::default();
        values.into_iter().for_each(|value| mean.add(value));
        mean
    }

    fn add(&mut self, value: f64) {
        self.images += 1;
        self.sum += value;
        self.squares += value * value;
    }

    /// The mean; `None` of few images.
    pub fn mean(&self) -> Option<f64> {
        (self.images >= FEWEST).then(|| self.sum / self.images as f64)
    }

    /// The mean, if it lies below a line for certain.
    fn below(&self, line: f64) -> Option<f64> {
        let (mean, count) = (self.mean()?, self.images as f64);
        let variance = (self.squares / count - mean * mean).max(0.0) * count / (count - 1.0);
        (mean + SURE * (variance / count).sqrt() < line).then_some(mean)
    }
}

/// Whether the maps of a class are inverted: by the area under the ROC curve where objects are
/// known, by the rank correlation with Grad-CAM elsewhere.
pub fn inverted(auc: &ImageMean, like_grad_cam: &ImageMean) -> Option<Inverted> {
    match auc.mean() {
        Some(_) => auc.below(0.5).map(Inverted::Auc),
        None => like_grad_cam.below(0.0).map(Inverted::LikeGradCam),
    }
}

/// Means of a figure over the images of each class of each label.
#[derive(Debug, Clone, Default)]
pub struct ClassMeans(BTreeMap<(usize, usize), ImageMean>);

impl ClassMeans {
    /// Adds the figure of an image of these classes.
    pub fn add(&mut self, target: &Target, value: f64) {
        for (group, class) in target.classes().iter().enumerate() {
            class
                .iter()
                .for_each(|class| self.add_of(group, *class, value));
        }
    }

    /// Adds the figure of an image of that class of a label.
    pub fn add_of(&mut self, group: usize, class: usize, value: f64) {
        self.0.entry((group, class)).or_default().add(value);
    }

    /// Whether every class has enough images.
    pub fn knows_all(&self, labels: &Labels) -> bool {
        let known = self.0.values().filter(|mean| mean.mean().is_some());
        known.count() == labels.count()
    }
}

/// The classes that are inverted, in order.
pub fn inverted_classes(
    labels: &Labels,
    auc: &ClassMeans,
    like_grad_cam: &ClassMeans,
) -> Vec<InvertedClass> {
    let places: BTreeSet<(usize, usize)> = auc
        .0
        .keys()
        .chain(like_grad_cam.0.keys())
        .copied()
        .collect();
    let found = places.into_iter().filter_map(|place| {
        let of = |means: &ClassMeans| means.0.get(&place).copied().unwrap_or_default();
        let (auc, like) = (of(auc), of(like_grad_cam));
        let reason = inverted(&auc, &like)?;
        let (group, class) = place;
        let name = labels.name(group, class);
        Some(InvertedClass {
            class: match labels.only() {
                Some(_) => name.to_owned(),
                None => format!("{}: {name}", labels.groups()[group].name),
            },
            images: match reason {
                Inverted::Auc(_) => auc.images,
                Inverted::LikeGradCam(_) => like.images,
            },
            reason,
        })
    });
    found.collect()
}

/// The rank correlation of the trained map with Grad-CAM for the right class, in at most 500 images
/// chosen by chance. Nothing of a network of several labels, whose map belongs to none of them.
///
/// # Errors
/// A sample cannot be read.
pub fn like_grad_cam(session: &Session, loader: &Loader) -> Result<ClassMeans, RunError> {
    let mut means = ClassMeans::default();
    if session.config.labels.only().is_none() {
        return Ok(means);
    }
    let loader = Loader {
        shuffled: true,
        ..loader.clone()
    };
    let mut images = 0;
    for batch in loader.epoch(0, 0) {
        let batch = batch?.only(|target| target.of(0).is_some());
        if batch.is_empty() {
            continue;
        }
        let pass = ForwardPass::new(&session.classifier, images_of(&batch, &session.device));
        let classes = batch.targets.iter().filter_map(|target| target.of(0));
        let right: Vec<usize> = classes.collect();
        let explained = |method| pass.explain(method, Layer::default(), &right);
        let (own, other) = (explained(Method::Attention)?, explained(Method::GradCam)?);
        for ((own, other), target) in own.iter().zip(&other).zip(&batch.targets) {
            if let Some(like) = rank_correlation(&own.normalized, &other.normalized) {
                means.add(target, like);
            }
        }
        images += batch.len();
        if images >= COMPARED {
            break;
        }
    }
    Ok(means)
}

#[cfg(test)]
mod tests {
    use abn_data::Group;

    use super::*;

    /// Eight images of a class, by turns at two values.
    fn add(means: &mut ClassMeans, classes: &[usize], values: [f64; 2]) {
        for value in values.repeat(4) {
            means.add(&Target::known(classes.to_vec()), value);
        }
    }

    #[test]
    fn a_class_is_inverted_by_the_certain_mean_of_enough_images() {
        let (mut auc, mut like) = (ClassMeans::default(), ClassMeans::default());
        // 0.4 with a standard error of 0.038, 0.45 with one of 0.13.
        add(&mut auc, &[0], [0.3, 0.5]);
        add(&mut auc, &[1], [0.1, 0.8]);
        auc.add(&Target::class(2), 0.0);
        add(&mut like, &[0], [0.9, 0.9]);
        add(&mut like, &[3], [-0.5, -0.3]);
        let names = ["dark", "doubtful", "rare", "against"].map(str::to_owned);
        let labels = Labels::one(names.to_vec());
        let found = inverted_classes(&labels, &auc, &like);
        let words: Vec<String> = found.iter().map(InvertedClass::words).collect();
        assert_eq!(
            words,
            [
                "dark (AUC 40.0 %)",
                "against (correlation with Grad-CAM -0.40)"
            ]
        );
        assert_eq!(found[0].images, 8);
        assert!(!auc.knows_all(&labels));
    }

    #[test]
    fn objects_count_before_grad_cam() {
        let of = |value: f64| ImageMean::of([value; 8]);
        let none = ImageMean::default();
        assert_eq!(inverted(&of(0.6), &of(-0.5)), None);
        assert_eq!(inverted(&of(0.375), &of(0.5)), Some(Inverted::Auc(0.375)));
        assert_eq!(
            inverted(&none, &of(-0.5)),
            Some(Inverted::LikeGradCam(-0.5))
        );
        assert_eq!(inverted(&none, &none), None);
        assert_eq!(ImageMean::of([0.0; 7]).mean(), None);
    }

    #[test]
    fn classes_of_several_labels_are_told_apart() {
        let group = |name: &str| Group {
            name: name.to_owned(),
            classes: vec!["none".to_owned(), "some".to_owned()],
        };
        let labels = Labels::of(["first", "second"].map(group).to_vec());
        let mut means = ClassMeans::default();
        add(&mut means, &[0, 1], [0.1, 0.2]);
        let found = inverted_classes(&labels, &means, &ClassMeans::default());
        let names: Vec<&str> = found.iter().map(|found| found.class.as_str()).collect();
        assert_eq!(names, ["first: none", "second: some"]);
    }
}

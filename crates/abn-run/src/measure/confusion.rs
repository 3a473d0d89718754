//! What is told of the images of each class.

use std::collections::BTreeMap;

/// How often images of one class were told to be of another, or their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// By right and told class; pairs that never occur are absent, so that thousands of classes fit.
    counts: BTreeMap<(usize, usize), usize>,
}

/// What is known of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassCounts {
    /// Images that are of it.
    pub images: usize,
    /// Images that are told to be.
    pub told: usize,
    /// Images that are both.
    pub right: usize,
}

impl ClassCounts {
    /// Share of its images that are told rightly; none without images.
    pub fn recall(&self) -> Option<f64> {
        share(self.right, self.images)
    }

    /// Share of what is told to be of it that is; none where nothing is.
    pub fn precision(&self) -> Option<f64> {
        share(self.right, self.told)
    }
}

/// Images of a class that were told to be of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// What they are.
    pub right: usize,
    /// What they were told to be.
    pub told: usize,
    /// How many.
    pub images: usize,
}

impl Confusion {
    /// Nothing told yet of that many classes.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            counts: BTreeMap::new(),
        }
    }

    /// Adds an image.
    pub fn add(&mut self, right: usize, told: usize) {
        *self.counts.entry((right, told)).or_default() += 1;
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Images of a class that are told to be of another, or its own.
    pub fn count(&self, right: usize, told: usize) -> usize {
        self.counts.get(&(right, told)).copied().unwrap_or(0)
    }

    /// Every class, in order.
    pub fn by_class(&self) -> Vec<ClassCounts> {
        let nothing = ClassCounts {
            images: 0,
            told: 0,
            right: 0,
        };
        let mut found = vec![nothing; self.classes];
        for (&(right, told), &count) in &self.counts {
            found[right].images += count;
            found[told].told += count;
            if right == told {
                found[right].right += count;
            }
        }
        found
    }

    /// The mean recall of the classes that have images: what a predictor gets that treats all alike,
    /// however many images each has.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let recalls: Vec<f64> = self
            .by_class()
            .iter()
            .filter_map(ClassCounts::recall)
            .collect();
        (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64)
    }

    /// The pairs of different classes that are confused, the most frequent first.
    pub fn confused(&self) -> Vec<Pair> {
        let wrong = self
            .counts
            .iter()
            .filter(|((right, told), _)| right != told);
        let pair = |(&(right, told), &images): (&(usize, usize), &usize)| Pair {
            right,
            told,
            images,
        };
        let mut pairs: Vec<Pair> = wrong.map(pair).collect();
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.images));
        pairs
    }
}

/// Images of each pair that are remembered.
const REMEMBERED: usize = 2;

/// What is told of the images of each class, with some of the images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfusedImages {
    /// What is told.
    pub confusion: Confusion,
    /// The first images of each pair of right and told class.
    first: BTreeMap<(usize, usize), Vec<usize>>,
}

impl ConfusedImages {
    /// Nothing told yet of that many classes.
    pub fn new(classes: usize) -> Self {
        Self {
            confusion: Confusion::new(classes),
            first: BTreeMap::new(),
        }
    }

    /// Adds the image of that number.
    pub fn add(&mut self, right: usize, told: usize, image: usize) {
        self.confusion.add(right, told);
        let first = self.first.entry((right, told)).or_default();
        if first.len() < REMEMBERED {
            first.push(image);
        }
    }

    /// Images of at most so many pairs, each with its right and told class, in the order of the
    /// images: those of the classes that are confused most often, then those of classes that are told
    /// rightly.
    pub fn of_pairs(&self, most: usize) -> BTreeMap<usize, (usize, usize)> {
        let confused = self.confusion.confused().into_iter();
        let confused = confused.map(|pair| (pair.right, pair.told));
        let right = (0..self.confusion.classes()).map(|class| (class, class));
        let images = |pair: (usize, usize)| {
            let images = self.first.get(&pair).into_iter().flatten();
            images.map(move |image| (*image, pair))
        };
        let known = confused
            .chain(right)
            .filter(|pair| self.first.contains_key(pair));
        known.take(most).flat_map(images).collect()
    }
}

fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_confused_pairs_have_images_first() {
        let mut told = ConfusedImages::new(3);
        for (image, (right, class)) in [(0, 0), (2, 1), (0, 1), (2, 1), (2, 1), (1, 1)]
            .into_iter()
            .enumerate()
        {
            told.add(right, class, image);
        }
        let pairs = |most| told.of_pairs(most).into_iter().collect::<Vec<_>>();
        assert_eq!(pairs(1), [(1, (2, 1)), (3, (2, 1))]);
        assert_eq!(
            pairs(3),
            [(0, (0, 0)), (1, (2, 1)), (2, (0, 1)), (3, (2, 1))]
        );
        assert_eq!(pairs(9).len(), 5);
        assert_eq!(told.confusion.count(2, 1), 3);
    }

    /// Three images of class 0, one told as 1; two of class 1, both told as 2; none of class 2.
    #[test]
    fn three_classes_by_hand() {
        let mut confusion = Confusion::new(3);
        for (right, told) in [(0, 0), (0, 0), (0, 1), (1, 2), (1, 2)] {
            confusion.add(right, told);
        }
        let classes = confusion.by_class();
        let recalls: Vec<_> = classes.iter().map(ClassCounts::recall).collect();
        assert_eq!(recalls, [Some(2.0 / 3.0), Some(0.0), None]);
        let precisions: Vec<_> = classes.iter().map(ClassCounts::precision).collect();
        assert_eq!(precisions, [Some(1.0), Some(0.0), Some(0.0)]);
        assert_eq!(confusion.balanced_accuracy(), Some(1.0 / 3.0));
        let pairs = confusion.confused();
        assert_eq!((pairs[0].right, pairs[0].told, pairs[0].images), (1, 2, 2));
        assert_eq!(
            (pairs.len(), confusion.count(0, 1), confusion.count(2, 2)),
            (2, 1, 0)
        );
        assert_eq!(Confusion::new(2).balanced_accuracy(), None);
    }
}

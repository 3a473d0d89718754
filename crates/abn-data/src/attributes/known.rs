//! Which labels of a folder are which of a network: by name, never by place.

use unicode_normalization::UnicodeNormalization;

use super::told::Told;
use crate::error::listed;
use crate::{DataError, Group, Labels, ObjectMasks, UnknownClasses};

/// The labels of a network, or the folder's own, and where each is told.
pub(super) struct Matched {
    pub(super) labels: Labels,
    /// The number of each label in the folder.
    groups: Vec<usize>,
    /// For each label, the number of each class of the folder.
    classes: Vec<Vec<usize>>,
}

impl Matched {
    /// The labels of a folder as those of a network.
    ///
    /// # Errors
    /// The folder lacks a label, or the network a class of one.
    pub(super) fn of(
        told: &Told,
        known: Option<&Labels>,
        notes: &mut Vec<String>,
    ) -> Result<Self, DataError> {
        let own = Labels::of(told.groups.clone());
        let Some(known) = known.filter(|known| **known != own) else {
            let in_order = |group: &Group| (0..group.classes.len()).collect();
            return Ok(Self {
                groups: (0..told.groups.len()).collect(),
                classes: told.groups.iter().map(in_order).collect(),
                labels: own,
            });
        };
        let groups = groups(told, known)?;
        let others = (0..told.groups.len()).filter(|label| !groups.contains(label));
        let others: Vec<String> = others
            .map(|label| told.groups[label].name.clone())
            .collect();
        if !others.is_empty() {
            notes.push(format!(
                "labels that the run lacks are left out: {}",
                listed(&others)
            ));
        }
        let pairs = groups.iter().zip(known.groups());
        let classes = pairs.map(|(label, known)| classes(told, &told.groups[*label], known));
        Ok(Self {
            classes: classes.collect::<Result<_, _>>()?,
            labels: known.clone(),
            groups,
        })
    }

    /// The class of each label, of which the folder tells these.
    pub(super) fn target(&self, told: impl Fn(usize) -> Option<usize>) -> Vec<Option<usize>> {
        let labels = self.groups.iter().zip(&self.classes);
        labels
            .map(|(label, classes)| told(*label).and_then(|class| classes.get(class).copied()))
            .collect()
    }

    /// The object of each label, of which the folder has these.
    pub(super) fn masks(&self, masks: ObjectMasks) -> ObjectMasks {
        match masks {
            ObjectMasks::OfEach(mut masks) => {
                let moved = |label: &usize| masks.get_mut(*label).and_then(Option::take);
                ObjectMasks::OfEach(self.groups.iter().map(moved).collect())
            }
            masks => masks,
        }
    }
}

/// The place in the folder of each label of a network. A label that nobody chose among others has
/// no name.
fn groups(told: &Told, known: &Labels) -> Result<Vec<usize>, DataError> {
    if let ([_], Some(_)) = (&told.groups[..], known.only()) {
        return Ok(vec![0]);
    }
    let composed = |name: &str| name.nfc().collect::<String>();
    let names: Vec<String> = told
        .groups
        .iter()
        .map(|group| composed(&group.name))
        .collect();
    let place = |group: &Group| {
        let name = composed(&group.name);
        names.iter().position(|own| *own == name).ok_or(name)
    };
    let places: Vec<Result<usize, String>> = known.groups().iter().map(place).collect();
    let lacking: Vec<String> = places
        .iter()
        .filter_map(|place| place.clone().err())
        .collect();
    if !lacking.is_empty() {
        let reason = format!("it lacks labels that the run has: {}", listed(&lacking));
        return Err(DataError::LabelTable {
            path: told.source.clone(),
            line: 1,
            reason,
        });
    }
    Ok(places.into_iter().flatten().collect())
}

/// The number in the network of each class of a label. Where an imported network has numbers for
/// names, and as many, they are taken in order.
fn classes(told: &Told, own: &Group, known: &Group) -> Result<Vec<usize>, DataError> {
    let place = |class: &String| known.classes.iter().position(|other| other == class);
    let places: Vec<Option<usize>> = own.classes.iter().map(place).collect();
    let numbered = known
        .classes
        .iter()
        .all(|class| class.starts_with("class "));
    if numbered && known.classes.len() == own.classes.len() {
        return Ok((0..own.classes.len()).collect());
    }
    let lacking = own
        .classes
        .iter()
        .zip(&places)
        .filter(|(_, place)| place.is_none());
    let names: Vec<String> = lacking.map(|(class, _)| class.clone()).collect();
    if !names.is_empty() {
        return Err(UnknownClasses {
            dir: told.source.clone(),
            names,
            known: known.classes.clone(),
        }
        .into());
    }
    Ok(places.into_iter().flatten().collect())
}

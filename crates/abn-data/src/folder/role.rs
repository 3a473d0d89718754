//! What folders are called: which names mean a split, which a place of images or of annotations.
//! Whatever is none of these may be a class.

/// What the images of a folder are for, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    /// To learn from.
    Train,
    /// To choose the epoch by.
    Validation,
    /// To measure on at the end.
    Test,
    /// A part of the data that says nothing of its use: `fold_1`, `unlabeled`.
    Unclear,
}

/// The roles of images as packs number them; those of which nobody made a split first.
const KEPT: [Option<Role>; 4] = [
    None,
    Some(Role::Train),
    Some(Role::Validation),
    Some(Role::Test),
];

impl Role {
    /// The number by which a pack keeps what an image is for.
    pub(crate) fn kept(role: Option<Self>) -> u8 {
        let place = KEPT.iter().position(|known| *known == role);
        place.unwrap_or_default() as u8
    }

    /// What an image is for whose number in a pack is this, if there is such a number.
    pub(crate) fn of_kept(number: u8) -> Option<Option<Self>> {
        KEPT.get(usize::from(number)).copied()
    }
}

/// Names of each role. The halves into which detectors cut COCO's val2014 have names of their own.
const ROLES: [(Role, &[&str]); 4] = [
    (
        Role::Train,
        &["train", "training", "trn", "valminusminival"],
    ),
    (
        Role::Validation,
        &[
            "val",
            "valid",
            "validate",
            "validation",
            "dev",
            "development",
            "heldout",
            "holdout",
            "minival",
        ],
    ),
    (
        Role::Test,
        &["test", "testing", "tst", "eval", "evaluate", "evaluation"],
    ),
    (
        Role::Unclear,
        &[
            "fold",
            "split",
            "partition",
            "subset",
            "trainval",
            "unlabeled",
            "unlabelled",
            "pred",
            "predict",
            "prediction",
            "infer",
            "inference",
        ],
    ),
];
/// Words that add nothing to a name: `train_images`, `val-set`, `seg_test`.
const FILLERS: [&str; 14] = [
    "set", "sets", "data", "dataset", "split", "folder", "image", "images", "img", "imgs",
    "photos", "pictures", "seg", "ds",
];
/// Endings that are written without a gap: `trainset`, `testdata`.
const ENDINGS: [&str; 4] = ["set", "data", "images", "imgs"];
/// Words for a piece of something large, if a number follows: `images_part_1`.
const PIECES: [&str; 5] = ["part", "batch", "chunk", "shard", "vol"];

/// Folders of images of all classes.
const IMAGES: [&str; 8] = [
    "images",
    "image",
    "imgs",
    "img",
    "jpegimages",
    "photos",
    "pictures",
    "photographs",
];
/// Folders of what somebody said of images.
const ANNOTATIONS: [&str; 24] = [
    "annotation",
    "annotations",
    "boxes",
    "bboxes",
    "gt",
    "groundtruth",
    "ground_truth",
    "imagesets",
    "instances",
    "label",
    "labels",
    "labeltxt",
    "mask",
    "masks",
    "panoptic",
    "segmentation",
    "segmentationclass",
    "segmentationobject",
    "segmentations",
    "segmentation_masks",
    "trimap",
    "trimaps",
    "xml",
    "xmls",
];

/// The role that a folder's name gives it, in any case; `None` for the name of a class.
///
/// Numbers and words such as `set` or `images` do not count: `Train`, `train_images`, `val2017` and
/// `test-set` are splits, `bullet_train` is none.
pub(crate) fn role_of(name: &str) -> Option<Role> {
    let name = name.to_lowercase();
    let words: Vec<&str> = name
        .split(|letter: char| !letter.is_alphabetic())
        .filter(|word| !word.is_empty())
        .collect();
    let named = |word: &str| {
        let of_role = ROLES.iter().find(|(_, names)| names.contains(&word));
        of_role.map(|(role, _)| *role)
    };
    let role_of_word = |word: &str| {
        let shorter = ENDINGS
            .iter()
            .filter_map(|ending| word.strip_suffix(ending));
        named(word).or_else(|| shorter.filter_map(named).next())
    };
    let numbered = name.ends_with(|letter: char| letter.is_ascii_digit());
    if numbered && words.iter().any(|word| PIECES.contains(word)) {
        return Some(Role::Unclear);
    }
    if let [only] = words[..] {
        return role_of_word(only);
    }
    // `held_out` is one word to us.
    if let Some(role) = named(&words.concat()) {
        return Some(role);
    }
    let mut telling = words.iter().filter(|word| !FILLERS.contains(word));
    match (telling.next(), telling.next()) {
        (Some(word), None) => role_of_word(word),
        _ => None,
    }
}

/// Whether a folder of that name holds images of all classes.
pub(super) fn holds_images(name: &str) -> bool {
    IMAGES.contains(&name.to_lowercase().as_str())
}

/// Whether a folder of that name holds masks, boxes or lists, and no class.
pub(super) fn holds_annotations(name: &str) -> bool {
    ANNOTATIONS.contains(&name.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_have_many_names() {
        for (role, names) in [
            (
                Role::Train,
                &["train", "Train", "TRAINING", "train_images", "seg_train"][..],
            ),
            (
                Role::Train,
                &[
                    "train2017",
                    "trainset",
                    "train-data",
                    "images_train",
                    "valminusminival2014",
                ],
            ),
            (
                Role::Validation,
                &[
                    "val",
                    "valid",
                    "Validation",
                    "dev",
                    "val2017",
                    "valset",
                    "held_out",
                    "holdout",
                    "minival2014",
                ],
            ),
            (
                Role::Test,
                &["test", "Testing", "eval", "evaluation", "test_set"],
            ),
            (
                Role::Unclear,
                &[
                    "fold_1",
                    "fold2",
                    "split-0",
                    "unlabeled",
                    "seg_pred",
                    "images_part_1",
                ],
            ),
        ] {
            for name in names {
                assert_eq!(role_of(name), Some(role), "{name}");
            }
        }
    }

    #[test]
    fn classes_may_sound_like_splits() {
        for name in [
            "cat",
            "bullet_train",
            "train station",
            "test tube",
            "images",
            "data",
            "developer",
            "sunset",
            "data_set",
            "0",
            "_",
            "",
        ] {
            assert_eq!(role_of(name), None, "{name}");
        }
    }
}

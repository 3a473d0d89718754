//! Which images are held out, where somebody did it by hand and where nobody did.

use std::collections::HashSet;
use std::path::Path;

use super::role::Role;
use crate::{DataError, Split, random};

/// One image in so many is held out.
const ONE_IN: usize = 5;

/// The places of the images that serve as a split, in their order, and what is to be said of that.
/// Where somebody said what each is for, that counts; else chance draws them.
///
/// # Errors
/// There are none.
pub(crate) fn of_split(
    dir: &Path,
    names: &[&str],
    roles: &[Option<Role>],
    split: Split,
    seed: u64,
) -> Result<(Vec<usize>, Option<String>), DataError> {
    if roles.iter().all(Option::is_none) {
        let note = "there are no test images apart: these are the held-out ones";
        let note = (split == Split::Test).then(|| note.to_owned());
        return Ok((drawn(dir, names, split, seed)?, note));
    }
    let (role, note) = serving(dir, roles, split)?;
    let is_wanted = |place: &usize| roles[*place] == Some(role);
    Ok(((0..roles.len()).filter(is_wanted).collect(), note))
}

/// The part that chance gives a split.
fn drawn(dir: &Path, names: &[&str], split: Split, seed: u64) -> Result<Vec<usize>, DataError> {
    if split == Split::All {
        return Ok((0..names.len()).collect());
    }
    let all = names.iter().map(|name| (*name).to_owned()).collect();
    let part = part(all, "", split, seed);
    let part = part.ok_or_else(|| DataError::LoneImage { path: dir.into() })?;
    let part: HashSet<&str> = part.iter().map(String::as_str).collect();
    let is_wanted = |place: &usize| part.contains(names[*place]);
    Ok((0..names.len()).filter(is_wanted).collect())
}

/// Which of the parts that somebody made serves as a split.
fn serving(
    dir: &Path,
    roles: &[Option<Role>],
    split: Split,
) -> Result<(Role, Option<String>), DataError> {
    let has = |role: Role| roles.contains(&Some(role));
    let found = match (split, has(Role::Validation), has(Role::Test)) {
        (Split::All, ..) => return Err(DataError::SplitApart { path: dir.into() }),
        (Split::Train, ..) => has(Role::Train).then_some((Role::Train, None)),
        (Split::HeldOut, true, true) => {
            let note = "the test images are not used to choose the epoch by";
            Some((Role::Validation, Some(note)))
        }
        (Split::HeldOut, true, false) => Some((Role::Validation, None)),
        (Split::Test, true, false) => {
            let note = "there are no test images apart: these are the held-out ones";
            Some((Role::Validation, Some(note)))
        }
        (_, _, true) => Some((Role::Test, None)),
        (_, false, false) => None,
    };
    match found {
        Some((role, note)) => Ok((role, note.map(str::to_owned))),
        None => Err(DataError::Missing {
            path: dir.into(),
            expected: match split {
                Split::Train => "images to learn from beside those held out",
                _ => "held-out images beside those to learn from",
            }
            .into(),
            advice: "name some in the list of splits".into(),
        }),
    }
}

/// The images of one class that belong to the split, in their order; `None` if there is only one.
///
/// Each image has a rank of its own, made of the seed and its name; the first fifth is held out. So
/// neither the folder's path nor the order of the file system matters, and an image more or less
/// moves few others.
pub(crate) fn part(
    images: Vec<String>,
    class: &str,
    split: Split,
    seed: u64,
) -> Option<Vec<String>> {
    if images.len() < 2 {
        return None;
    }
    let held_out = (images.len() / ONE_IN).max(1);
    let rank = |name: &String| (random::rank(seed, &format!("{class}/{name}")), name.clone());
    let mut ranks: Vec<_> = images.iter().map(rank).collect();
    ranks.sort_unstable();
    let first_kept = ranks.swap_remove(held_out);
    // There are no test images apart: what is held out has to do.
    let wanted = |name: &String| (rank(name) < first_kept) == (split != Split::Train);
    Some(images.into_iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("{index:03}.jpg")).collect()
    }

    fn held_out(count: usize, seed: u64) -> Vec<String> {
        part(names(count), "cat", Split::HeldOut, seed).unwrap()
    }

    #[test]
    fn every_image_is_in_one_part() {
        for (count, expected) in [(2, 1), (3, 1), (5, 1), (9, 1), (10, 2), (150, 30)] {
            let (train, test) = (
                part(names(count), "cat", Split::Train, 7).unwrap(),
                held_out(count, 7),
            );
            assert_eq!(test.len(), expected, "{count} images");
            let mut all = [train, test].concat();
            all.sort();
            assert_eq!(all, names(count));
        }
        assert_eq!(part(names(1), "cat", Split::Train, 7), None);
    }

    #[test]
    fn the_split_depends_on_seed_and_names_alone() {
        assert_ne!(held_out(100, 1), held_out(100, 2));
        assert_ne!(
            held_out(100, 1),
            part(names(100), "dog", Split::HeldOut, 1).unwrap()
        );
        let mut backwards = names(100);
        backwards.reverse();
        let mut same = part(backwards, "cat", Split::HeldOut, 1).unwrap();
        same.reverse();
        assert_eq!(same, held_out(100, 1));
        // One image more: it may take a place, and the others keep theirs.
        let moved = held_out(101, 1)
            .iter()
            .filter(|name| !held_out(100, 1).contains(name))
            .count();
        assert!(moved <= 1, "{moved}");
    }

    #[test]
    fn test_images_are_those_held_out() {
        let test = part(names(50), "cat", Split::Test, 7).unwrap();
        assert_eq!(test, held_out(50, 7));
    }

    #[test]
    fn the_split_stays_as_it_is() {
        // No right or wrong here, but another split would let runs be measured on images they have
        // learned.
        assert_eq!(
            held_out(20, 0),
            ["002.jpg", "004.jpg", "011.jpg", "013.jpg"]
        );
    }
}

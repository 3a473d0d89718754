//! Which images a split has, and in which order they come.

use std::collections::HashSet;

use crate::Split;
use crate::folder::split::part;

/// The images of a split in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Turns {
    /// Place in the archives and class of each image.
    pub(crate) order: Vec<(u32, u32)>,
    /// Number of images of each class.
    pub(crate) counts: Vec<usize>,
}

/// First the first image of every class, then the second of every class, and so on, so that the
/// first N show all classes. `classes` has the class of every image in the archives' order.
///
/// Where `split_by` has a split and a seed, one image in five of every class is held out, by the
/// images' names alone, as in folders; the error is a class with only one image.
pub(crate) fn turns(
    classes: &[u32],
    count: usize,
    split_by: Option<(Split, u64)>,
    name: impl Fn(usize) -> String,
) -> Result<Turns, usize> {
    let mut of_class: Vec<Vec<u32>> = vec![vec![]; count];
    for (place, class) in classes.iter().enumerate() {
        // No archive of images has four thousand million of them.
        of_class[*class as usize].push(place as u32);
    }
    if let Some((split, seed)) = split_by {
        for (class, places) in of_class
            .iter_mut()
            .enumerate()
            .filter(|(_, p)| !p.is_empty())
        {
            let names = places.iter().map(|place| name(*place as usize)).collect();
            let kept = part(names, "", split, seed).ok_or(class)?;
            let kept: HashSet<String> = kept.into_iter().collect();
            places.retain(|place| kept.contains(&name(*place as usize)));
        }
    }
    let counts = of_class.iter().map(Vec::len).collect();
    let numbered = of_class.into_iter().zip(0_u32..);
    let mut turns: Vec<(u32, u32, u32)> = numbered
        .flat_map(|(places, class)| (0..).zip(places).map(move |(turn, p)| (turn, class, p)))
        .collect();
    turns.sort_unstable();
    let order = turns.into_iter().map(|(_, class, place)| (place, class));
    Ok(Turns {
        order: order.collect(),
        counts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_take_turns() {
        let name = |place: usize| place.to_string();
        let found = turns(&[1, 1, 0, 1, 3, 0], 4, None, name).unwrap();
        assert_eq!(found.counts, [2, 3, 0, 1]);
        assert_eq!(
            found.order,
            [(2, 0), (0, 1), (4, 3), (5, 0), (1, 1), (3, 1)]
        );
    }

    #[test]
    fn the_splits_share_no_image() {
        let classes: Vec<u32> = (0..100).map(|place| place % 3).collect();
        let name = |place: usize| format!("a.tar/{place}.jpg");
        let of = |split| turns(&classes, 3, Some((split, 5)), name).unwrap();
        let (train, held_out) = (of(Split::Train), of(Split::HeldOut));
        assert_eq!(
            (train.counts, held_out.counts),
            (vec![28, 27, 27], vec![6; 3])
        );
        let mut all = [train.order, held_out.order].concat();
        all.sort_unstable();
        let places: Vec<u32> = all.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, (0..100).collect::<Vec<_>>());
        assert!(all.iter().all(|(place, class)| place % 3 == *class));
        // Other archives before them move nothing: the names decide.
        assert_eq!(turns(&[0, 0, 1], 2, Some((Split::Train, 5)), name), Err(1));
    }
}

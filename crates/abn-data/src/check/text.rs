//! What a check found, for people.

use std::fmt::{self, Display, Formatter};

use super::balance::UNEVEN;
use super::report::{
    ClassCount, Finding, LabelReport, Odd, Report, Same, SameWhat, SplitReport, Without,
};
use super::sizes::{FAR, LONGEST, SHORTEST};
use super::split_name;
use crate::Split;

/// Findings of a kind that are shown where nobody says how many.
const SHOWN: usize = 8;
/// Places of one picture that are shown.
const PLACES: usize = 4;
/// Classes of a split that are shown one by one.
const CLASSES: usize = 8;

impl Report {
    /// The report in words. Of each kind of finding, the first `shown` are named and the others
    /// counted.
    #[must_use]
    pub fn text(&self, shown: usize) -> String {
        let mut lines = vec![self.title()];
        lines.extend(self.splits.iter().map(split));
        for (word, findings) in [("wrong", &self.wrong), ("remark", &self.remarks)] {
            for kind in findings.chunk_by(|one, other| one.rank() == other.rank()) {
                lines.push(String::new());
                lines.push(format!("{word}: {}", heading(kind, word == "wrong")));
                lines.extend(
                    kind.iter()
                        .take(shown)
                        .map(|one| format!("  {}", line(one))),
                );
                match kind.len().saturating_sub(shown) {
                    0 => {}
                    more => lines.push(format!("  and {more} more")),
                }
            }
        }
        lines.push(String::new());
        lines.push(self.judgement());
        lines.join("\n")
    }

    fn title(&self) -> String {
        let images = counted(self.images, "image", "images");
        match self.sizes {
            Some(sizes) if sizes.smallest == sizes.largest => {
                format!("{images} of {} pixels", by(sizes.median))
            }
            Some(sizes) => format!(
                "{images} of {} to {} pixels, median {}",
                by(sizes.smallest),
                by(sizes.largest),
                by(sizes.median)
            ),
            None => images,
        }
    }

    fn judgement(&self) -> String {
        let remarks = match self.remarks.len() {
            0 => String::new(),
            count => format!(", {}", counted(count, "remark", "remarks")),
        };
        match self.wrong.len() {
            0 => format!("nothing is wrong{remarks}"),
            1 => format!("1 thing is wrong{remarks}"),
            count => format!("{count} things are wrong{remarks}"),
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(SHOWN))
    }
}

impl Finding {
    /// The place of its kind in a report.
    pub(super) fn rank(&self) -> usize {
        match self {
            Self::Truncated { .. } => 0,
            Self::Unreadable { .. } => 1,
            Self::SameInSplits(_) => 2,
            Self::SameInClasses(_) => 3,
            Self::EmptyClass { .. } => 4,
            Self::MaskSize { .. } => 5,
            Self::MaskUnreadable { .. } => 6,
            Self::MaskOfNoImage { .. } => 7,
            Self::BoxOfNoImage { .. } => 8,
            Self::BoxOutside { .. } => 9,
            Self::Annotations { .. } => 10,
            Self::SameInClass(_) => 11,
            Self::LoneImage { .. } => 12,
            Self::Imbalance { .. } => 13,
            Self::OddSize { .. } => 14,
            Self::EmptyMask { .. } => 15,
            Self::NoMask(_) => 16,
            Self::NoBox(_) => 17,
            Self::Note { .. } => 18,
        }
    }
}

/// `1 image`, `2 images`.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn by((width, height): (u32, u32)) -> String {
    format!("{width}x{height}")
}

/// A split with the sizes of its classes.
fn split(split: &SplitReport) -> String {
    let labels: Vec<String> = split.labels.iter().map(label).collect();
    let images = counted(split.images, "image", "images");
    format!("  {}: {images}; {}", split.split, labels.join("; "))
}

fn label(label: &LabelReport) -> String {
    let counts = label.classes.iter().map(|class| class.images);
    let count = label.classes.len();
    let of_label = match label.name.as_str() {
        "class" => String::new(),
        name => format!("{name} "),
    };
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    if least == most {
        return format!("{count} {of_label}classes of {most}");
    }
    if count <= CLASSES {
        let each = label.classes.iter().map(of_class).collect::<Vec<_>>();
        return format!("{count} {of_label}classes: {}", each.join(", "));
    }
    format!("{count} {of_label}classes of {least} to {most}")
}

fn of_class(class: &ClassCount) -> String {
    format!("{} {}", class.class, class.images)
}

/// What findings of a kind have in common, and what to do.
fn heading(kind: &[Finding], is_wrong: bool) -> String {
    let count = |one: &str, many: &str| counted(kind.len(), one, many);
    match &kind[0] {
        Finding::Truncated { .. } => format!(
            "{}: copy, unpack or download again",
            count(
                "image file ends early or is empty",
                "image files end early or are empty"
            )
        ),
        Finding::Unreadable { .. } => count("image cannot be read", "images cannot be read"),
        Finding::SameInSplits(_) => format!(
            "{}: a network is measured on what it has seen; keep each in one split",
            count(
                "picture is in several splits",
                "pictures are in several splits"
            )
        ),
        Finding::SameInClasses(_) => format!(
            "{}: at most one of them is right",
            count(
                "picture is in several classes",
                "pictures are in several classes"
            )
        ),
        Finding::EmptyClass { .. } => {
            let classes = count("class has no images", "classes have no images");
            match is_wrong {
                true => format!("{classes}: training is refused; add some, or remove the folder"),
                false => classes,
            }
        }
        Finding::MaskSize { .. } => count(
            "mask has another size than its image",
            "masks have another size than their images",
        ),
        Finding::MaskUnreadable { .. } => count("mask cannot be read", "masks cannot be read"),
        Finding::MaskOfNoImage { .. } => format!(
            "{}: a mask has the path and name of its image, and ends in .png",
            count("mask is of no image", "masks are of no image")
        ),
        Finding::BoxOfNoImage { table, .. } => format!(
            "{} in {table}",
            count("name is of no image", "names are of no image")
        ),
        Finding::BoxOutside { .. } => format!(
            "{} no pixel of it: boxes are x0, y0, x1, y1 in pixels of the upright image",
            count("image has boxes that hold", "images have boxes that hold")
        ),
        Finding::Annotations { .. } => "masks or boxes are not understood".into(),
        Finding::SameInClass(same) => {
            let pictures = count(
                "picture is in its class several times",
                "pictures are in their class several times",
            );
            match same.images[0].split == split_name(Split::All) {
                true => format!(
                    "{pictures}: once the set is split, one may be learned from and another \
                     measured on"
                ),
                false => format!("{pictures}: each time counts"),
            }
        }
        Finding::LoneImage { .. } => format!(
            "{}: the set can be measured on, but not learned from, as nothing of them can be held \
             out",
            count("class has one image", "classes have one image each")
        ),
        Finding::Imbalance { .. } => {
            format!("classes with more than {UNEVEN} times as many images as others")
        }
        Finding::OddSize { .. } => format!(
            "{} (a side under {SHORTEST} pixels, one side more than {LONGEST} times the other, or \
             {FAR} times more or fewer pixels than the median)",
            count("image is of an odd size", "images are of odd sizes")
        ),
        Finding::EmptyMask { .. } => count("mask shows no object", "masks show no object"),
        Finding::NoMask(_) => "images without a mask".into(),
        Finding::NoBox(_) => "images without a box".into(),
        Finding::Note { .. } => "how the images were found".into(),
    }
}

/// One finding.
fn line(finding: &Finding) -> String {
    match finding {
        Finding::Truncated { image, reason }
        | Finding::Unreadable { image, reason }
        | Finding::MaskSize { image, reason }
        | Finding::MaskUnreadable { image, reason } => match reason.contains(image.as_str()) {
            true => reason.clone(),
            false => format!("{image}: {reason}"),
        },
        Finding::SameInSplits(same) | Finding::SameInClasses(same) | Finding::SameInClass(same) => {
            places(same)
        }
        Finding::EmptyClass { split, class } => format!("{class} ({split})"),
        Finding::MaskOfNoImage { mask } => mask.clone(),
        Finding::BoxOfNoImage { image, boxes, .. } => {
            format!("{image} ({})", counted(*boxes, "box", "boxes"))
        }
        Finding::BoxOutside {
            image,
            size,
            boxes,
            outside,
        } => format!("{image} of {} pixels: {outside} of {boxes}", by(*size)),
        Finding::Annotations { reason } => reason.clone(),
        Finding::LoneImage { class } => class.clone(),
        Finding::Imbalance {
            split,
            smallest,
            largest,
            ..
        } => format!("{split}: {} to {}", of_class(smallest), of_class(largest)),
        Finding::OddSize { image, size, odd } => {
            let odd = match odd {
                Odd::Tiny => "tiny",
                Odd::Narrow => "narrow",
                Odd::Small => "far smaller than most",
                Odd::Large => "far larger than most",
            };
            format!("{image} of {} pixels: {odd}", by(*size))
        }
        Finding::EmptyMask { image } => format!("that of {image}"),
        Finding::NoMask(without) | Finding::NoBox(without) => lacking(without),
        Finding::Note { note } => note.clone(),
    }
}

/// `a/1.jpg = b/1.jpg, the same file`.
fn places(same: &Same) -> String {
    let first = &same.images[0];
    let names = same.images.iter().take(PLACES).map(|place| {
        let class = match same.images.iter().all(|other| other.class == first.class) {
            true => String::new(),
            false => format!(" ({})", place.class),
        };
        format!("{}{class}", place.image)
    });
    let mut names: Vec<String> = names.collect();
    if let more @ 1.. = same.images.len().saturating_sub(PLACES) {
        names.push(format!("{more} more"));
    }
    let what = match same.same {
        SameWhat::File => "the same file",
        SameWhat::Pixels => "the same pixels",
    };
    format!("{}, {what}", names.join(" = "))
}

fn lacking(without: &Without) -> String {
    let Without {
        split,
        images,
        of,
        first,
    } = without;
    format!("{split}: {images} of {of}, the first is {first}")
}

//! What the name of a member says: which sample it belongs to, and what of it it is.

use std::path::Path;

use crate::folder::is_image_name;

/// Longer than any path that a file system takes.
const LONGEST: usize = 4096;

/// What a member is of its sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// The image, `jpg`.
    Image,
    /// An image among others, `left.jpg`.
    NamedImage,
    /// Where the object lies, `mask.png` or `seg.png`.
    Mask,
    /// A label: `cls`, else `json`, else `txt`.
    Label(Said),
    /// Something that is not looked at.
    Other,
}

/// How a label is written, the first one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    Cls,
    Json,
    Txt,
}

/// The name of a member as it is used, or what is wrong with it.
pub(super) fn checked(name: &[u8]) -> Result<&str, &'static str> {
    let Ok(name) = str::from_utf8(name) else {
        return Err("is not valid UTF-8");
    };
    if name.len() > LONGEST {
        return Err("is longer than any path");
    }
    if name.chars().any(char::is_control) {
        return Err("has control characters");
    }
    let drive = name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    if name.starts_with(['/', '\\']) || drive {
        return Err("is an absolute path");
    }
    if name.split(['/', '\\']).any(|part| part == "..") {
        return Err("leads out of the archive");
    }
    Ok(name.trim_start_matches("./"))
}

/// The key of the sample that a member belongs to and the rest of its name: WebDataset's
/// `^((?:.*/|)[^.]+)[.]([^/]*)$`, that is, up to the first dot of the file's name. `None` for what
/// is no part of a sample, such as hidden files.
pub(super) fn key_and_rest(name: &str) -> Option<(&str, &str)> {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = file + name[file..].find('.')?;
    (dot > file).then(|| (&name[..dot], &name[dot + 1..]))
}

/// What the rest of a name says, in any case.
pub(super) fn field(rest: &str) -> Field {
    let rest = rest.to_lowercase();
    let (kind, ending) = rest.rsplit_once('.').unwrap_or(("", &rest));
    match (kind, ending) {
        (_, ending) if is_image_name(Path::new(&format!("x.{ending}"))) => match kind {
            "" => Field::Image,
            "mask" | "seg" => Field::Mask,
            _ => Field::NamedImage,
        },
        ("", "cls") => Field::Label(Said::Cls),
        ("", "json") => Field::Label(Said::Json),
        ("", "txt") => Field::Label(Said::Txt),
        _ => Field::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_end_at_the_first_dot_of_the_file() {
        for (name, expected) in [
            ("0001.jpg", Some(("0001", "jpg"))),
            ("a.b/0001.seg.png", Some(("a.b/0001", "seg.png"))),
            ("train/n01/x.tar.gz", Some(("train/n01/x", "tar.gz"))),
            ("a/b.", Some(("a/b", ""))),
            ("a/.hidden.jpg", None),
            ("._0001.jpg", None),
            ("README", None),
            ("a.b/c", None),
            ("", None),
            ("ä.jpg", Some(("ä", "jpg"))),
        ] {
            assert_eq!(key_and_rest(name), expected, "{name}");
        }
    }

    #[test]
    fn fields_are_known_by_their_endings() {
        for (rest, expected) in [
            ("jpg", Field::Image),
            ("JPEG", Field::Image),
            ("left.jpg", Field::NamedImage),
            ("seg.png", Field::Mask),
            ("Mask.PNG", Field::Mask),
            ("cls", Field::Label(Said::Cls)),
            ("json", Field::Label(Said::Json)),
            ("txt", Field::Label(Said::Txt)),
            ("boxes.json", Field::Other),
            ("npy", Field::Other),
            ("", Field::Other),
        ] {
            assert_eq!(field(rest), expected, "{rest}");
        }
    }

    #[test]
    fn names_stay_in_the_archive() {
        assert_eq!(checked(b"./a/b.jpg"), Ok("a/b.jpg"));
        assert_eq!(checked(b"a..b/c...jpg"), Ok("a..b/c...jpg"));
        for (name, words) in [
            (&b"/etc/x.jpg"[..], "absolute"),
            (b"\\\\host\\x.jpg", "absolute"),
            (b"C:x.jpg", "absolute"),
            (b"../x.jpg", "leads out"),
            (b"a/../../x.jpg", "leads out"),
            (b"a\\..\\x.jpg", "leads out"),
            (b"a/..", "leads out"),
            (b"a\0.jpg", "control"),
            (b"a\n.jpg", "control"),
            (b"\xff.jpg", "UTF-8"),
            (&[b'a'; 5000], "longer"),
        ] {
            let wrong = checked(name).unwrap_err();
            assert!(wrong.contains(words), "{wrong}");
        }
    }
}

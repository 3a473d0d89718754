//! Names of entries: which are safe on every system.

/// Characters of a path: what file systems take, and a bound of the memory for names.
const LONGEST_PATH: usize = 1024;
/// Bytes of a name: what file systems take.
const LONGEST_NAME: usize = 255;
/// What Windows takes for a device, with any ending.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// The parts of a path in an archive, without `.` and empty ones.
///
/// # Errors
/// What is wrong: the path is absolute, leads out of its folder, or cannot be written on every
/// system.
pub(super) fn parts(path: &[u8]) -> Result<Vec<&str>, &'static str> {
    let path = str::from_utf8(path).map_err(|_| "has a name that is not Unicode")?;
    if path.len() > LONGEST_PATH {
        return Err("has a path that is too long");
    }
    if path.starts_with('/') {
        return Err("has an absolute path");
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("leads out of the folder"),
            part => {
                check(part)?;
                parts.push(part);
            }
        }
    }
    Ok(parts)
}

fn check(part: &str) -> Result<(), &'static str> {
    if part.len() > LONGEST_NAME {
        return Err("has a name that is too long");
    }
    // On Windows a separator; `c:` is a drive there, and `a:b` a hidden stream of `a`.
    if part.contains('\\') {
        return Err("has a backslash in its path");
    }
    if part.contains(':') {
        return Err("has a colon in its path, as drives have");
    }
    if part.chars().any(char::is_control) {
        return Err("has a name with control characters");
    }
    // Windows drops these, so that `a.` is `a`.
    if part.ends_with(['.', ' ']) {
        return Err("has a name that ends with a dot or a space");
    }
    let stem = part.split('.').next().unwrap_or(part).trim_end();
    let stem = stem.to_lowercase();
    let numbered = ["com", "lpt"]
        .iter()
        .any(|device| stem.strip_prefix(device).is_some_and(is_one_digit));
    if DEVICES.contains(&&*stem) || numbered {
        return Err("has the name of a device");
    }
    Ok(())
}

/// Windows counts the superscripts, too.
fn is_one_digit(text: &str) -> bool {
    let mut digits = text.chars();
    let first = digits.next();
    digits.next().is_none()
        && first.is_some_and(|digit| digit.is_ascii_digit() || "\u{b9}\u{b2}\u{b3}".contains(digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_pass_as_they_are() {
        for (path, expected) in [
            ("a/b.JPEG", vec!["a", "b.JPEG"]),
            ("./a//b/", vec!["a", "b"]),
            (
                "001.Black_footed_Albatross/x-1.jpg",
                vec!["001.Black_footed_Albatross", "x-1.jpg"],
            ),
            ("._hidden", vec!["._hidden"]),
            ("\u{3b1}/console.txt", vec!["\u{3b1}", "console.txt"]),
            ("com10", vec!["com10"]),
            ("", vec![]),
            ("./", vec![]),
        ] {
            assert_eq!(parts(path.as_bytes()), Ok(expected), "{path}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for path in [
            "/etc/passwd",
            "//a",
            "..",
            "../a",
            "a/../../b",
            "a/..",
            "a/../b",
            "c:",
            "c:/a",
            "c:\\a",
            "..\\a",
            "a\\..\\b",
            "\\\\host\\a",
            "a:b",
            "a\0b",
            "a\nb",
            "a.",
            "a /b",
            ".. ",
            "...",
            "nul",
            "NUL.txt",
            "a/Con",
            "com1.log",
            "LPT\u{b9}",
            "aux .x",
        ] {
            assert!(parts(path.as_bytes()).is_err(), "{path:?}");
        }
        assert!(parts(b"\xff").is_err());
        assert!(parts(&[b'a'; 256]).is_err());
        assert!(parts("a/".repeat(600).as_bytes()).is_err());
    }
}

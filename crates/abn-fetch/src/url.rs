//! Addresses: what they may be, how they are shown, and where a redirect leads.

use ureq::http::Uri;
use ureq::http::uri::Scheme;

use crate::error::FetchError;

/// An address of HTTP or HTTPS.
///
/// # Errors
/// It is something else.
pub(crate) fn parsed(text: &str) -> Result<Uri, FetchError> {
    let wrong = |reason: String| FetchError::Address {
        url: without_password(text),
        reason,
    };
    let url: Uri = text.parse().map_err(|error| wrong(format!("{error}")))?;
    let known = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&url.scheme());
    if !known {
        return Err(wrong(
            "it does not begin with http:// or https://".to_owned(),
        ));
    }
    if url.host().is_none_or(str::is_empty) {
        return Err(wrong("it names no host".to_owned()));
    }
    Ok(url)
}

/// The address that `location` names, as it was found in an answer from `base`.
///
/// # Errors
/// It is no address of HTTP or HTTPS, or not encrypted where `base` is.
pub(crate) fn redirected(base: &Uri, location: &str) -> Result<Uri, FetchError> {
    let scheme = base.scheme_str().unwrap_or_default();
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let location = location.split('#').next().unwrap_or_default();
    let has_scheme = location
        .split_once(':')
        .is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains(['/', '?']));
    let text = if has_scheme {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{}{location}", base.path())
    } else {
        format!("{scheme}://{authority}{}", beside(base.path(), location))
    };
    let to = parsed(&text)?;
    if base.scheme() == Some(&Scheme::HTTPS) && to.scheme() != Some(&Scheme::HTTPS) {
        return Err(FetchError::Downgrade {
            url: without_password(&base.to_string()),
            to: without_password(&text),
        });
    }
    Ok(to)
}

/// The path of what is called `relative` in the folder of `path`.
fn beside(path: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').skip(1).collect();
    parts.pop();
    let (relative, query) = relative.split_at(relative.find('?').unwrap_or(relative.len()));
    for part in relative.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}{query}", parts.join("/"))
}

/// An address as it may be printed.
pub(crate) fn without_password(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = url.split_at(start);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_joined_as_browsers_join_them() {
        let base = parsed("https://x.org:8/a/b.tgz?q=1").unwrap();
        for (location, expected) in [
            ("https://y.org/c", "https://y.org/c"),
            ("//y.org/c?d#e", "https://y.org/c?d"),
            ("/c", "https://x.org:8/c"),
            ("c/d", "https://x.org:8/a/c/d"),
            ("../c/./d?e/../f", "https://x.org:8/c/d?e/../f"),
            ("../../../c", "https://x.org:8/c"),
            ("?r=http://z", "https://x.org:8/a/b.tgz?r=http://z"),
        ] {
            assert_eq!(redirected(&base, location).unwrap().to_string(), expected);
        }
        let top = parsed("http://x.org").unwrap();
        assert_eq!(redirected(&top, "c").unwrap().to_string(), "http://x.org/c");
        assert!(redirected(&top, "https://y.org/c").is_ok());
    }

    #[test]
    fn redirects_never_lead_out_of_encryption_or_of_http() {
        let base = parsed("https://me:secret@x.org/a").unwrap();
        let error = redirected(&base, "http://y.org/a").unwrap_err().to_string();
        assert!(error.starts_with("https://x.org/a is redirected to http://y.org/a"));
        for location in [
            "file:///etc/passwd",
            "ftp://y.org/a",
            "javascript:alert(1)",
            "https:",
        ] {
            let error = redirected(&base, location).unwrap_err();
            assert!(matches!(error, FetchError::Address { .. }), "{location}");
        }
    }

    #[test]
    fn passwords_are_left_out() {
        for (url, shown) in [
            ("http://me:secret@x.org/a@b", "http://x.org/a@b"),
            ("me:secret@x.org:8", "x.org:8"),
            ("http://x.org/a@b", "http://x.org/a@b"),
            ("", ""),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "x.org/a",
            "ftp://x.org/a",
            "http://",
            "http:// x",
            "/etc",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}

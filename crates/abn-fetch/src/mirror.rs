//! Where files are taken from: the official address, a mirror, or this machine.

use std::path::{Path, PathBuf};

use crate::catalog::{PublishedFile, PublishedSet};
use crate::error::FetchError;
use crate::url::{parsed, without_password};

/// Where one file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// On a server.
    Url(String),
    /// On this machine, where it stays.
    Local(PathBuf),
}

/// Where each file of a set is, in their order.
///
/// # Errors
/// The mirror is no address, names one file of several, or does not exist on this machine.
pub(crate) fn origins(set: &PublishedSet, mirror: Option<&str>) -> Result<Vec<Origin>, FetchError> {
    let files = set.files.iter();
    let Some(mirror) = mirror else {
        return Ok(files.map(|file| Origin::Url(file.url.to_owned())).collect());
    };
    if let Some(path) = local(mirror) {
        return files
            .map(|file| local_file(set, mirror, &path, file))
            .collect();
    }
    parsed(mirror)?;
    if mirror.ends_with('/') {
        let of = |file: &PublishedFile| Origin::Url(format!("{mirror}{}", file.name()));
        return Ok(files.map(of).collect());
    }
    if set.files.len() > 1 {
        return Err(of_one(set, &without_password(mirror)));
    }
    Ok(vec![Origin::Url(mirror.to_owned())])
}

/// The path that is meant, if no server is. One letter before a colon is a drive.
fn local(mirror: &str) -> Option<PathBuf> {
    if let Some(path) = mirror.strip_prefix("file://") {
        return Some(path.into());
    }
    let scheme = mirror.split_once("://").map(|(scheme, _)| scheme);
    scheme
        .is_none_or(|scheme| scheme.len() < 2)
        .then(|| mirror.into())
}

fn local_file(
    set: &PublishedSet,
    mirror: &str,
    path: &Path,
    file: &PublishedFile,
) -> Result<Origin, FetchError> {
    let found = if path.is_dir() {
        path.join(file.name())
    } else if set.files.len() > 1 && path.is_file() {
        return Err(of_one(set, mirror));
    } else {
        path.to_owned()
    };
    if !found.is_file() {
        return Err(FetchError::NoLocalFile {
            path: found,
            file: file.name(),
        });
    }
    Ok(Origin::Local(found))
}

fn of_one(set: &PublishedSet, mirror: &str) -> FetchError {
    FetchError::MirrorOfOne {
        mirror: mirror.to_owned(),
        set: set.name,
        files: set.files.iter().map(PublishedFile::name).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn set(name: &str) -> &'static PublishedSet {
        PublishedSet::named(name).unwrap()
    }

    fn url(text: &str) -> Origin {
        Origin::Url(text.to_owned())
    }

    #[test]
    fn a_mirror_is_a_file_or_a_folder_of_a_server() {
        let cifar = set("cifar10");
        let official = url("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz");
        assert_eq!(origins(cifar, None).unwrap(), [official]);
        let named = origins(cifar, Some("http://x.org/c.tgz")).unwrap();
        assert_eq!(named, [url("http://x.org/c.tgz")]);
        let both = origins(set("svhn"), Some("http://x.org/d/")).unwrap();
        assert_eq!(
            both,
            [
                url("http://x.org/d/train_32x32.mat"),
                url("http://x.org/d/test_32x32.mat")
            ]
        );
        let error = origins(set("svhn"), Some("http://me:secret@x.org/d")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`http://x.org/d` names one file, but svhn has 2: train_32x32.mat, test_32x32.mat; \
             name the folder that holds them, with `/` at the end"
        );
        assert!(origins(cifar, Some("ftp://x.org/c.tgz")).is_err());
    }

    #[test]
    fn a_mirror_may_be_on_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cifar-10-binary.tar.gz");
        fs::write(&path, b"x").unwrap();
        let cifar = set("cifar10");
        let (file, folder) = (path.to_str().unwrap(), folder.path().to_str().unwrap());
        for mirror in [file, folder, &format!("file://{file}")] {
            let found = origins(cifar, Some(mirror)).unwrap();
            assert_eq!(found, [Origin::Local(path.clone())], "{mirror}");
        }
        let error = origins(set("svhn"), Some(file)).unwrap_err();
        assert!(matches!(error, FetchError::MirrorOfOne { .. }));
        let error = origins(set("svhn"), Some(folder)).unwrap_err();
        assert!(error.to_string().contains("train_32x32.mat does not exist"));
    }
}

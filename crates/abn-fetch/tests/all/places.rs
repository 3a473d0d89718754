//! Where files come to lie, and what happens when something lies there.

use std::fs;
use std::path::Path;

use abn_fetch::{
    Becomes, Checksum, Event, FetchError, How, Packing, PublishedFile, PublishedSet, Stage, Watch,
    fetch,
};

use crate::made::{entry, good_tar, good_zip, gz, tar_of};
use crate::server::{Reply, Server};
use crate::support::{Desk, from, is_new, known, listed, md5, packed, set};

#[test]
fn archives_of_every_kind_become_their_folder() {
    for (packing, bytes) in [
        (Packing::Tar, good_tar()),
        (Packing::TarGz, gz(&good_tar())),
        (Packing::Zip, good_zip()),
    ] {
        let server = Server::of(bytes);
        let mut desk = Desk::new();
        let fetched = desk.fetch(packed(packing), &from(&server.url(""))).unwrap();
        let How::New { sums, checked, .. } = fetched.how else {
            panic!("it is new");
        };
        assert_eq!((sums.sha256.len(), checked), (64, None));
        assert_eq!(fs::read(desk.path("set/a.txt")).unwrap(), b"alpha");
        assert_eq!(
            desk.all(),
            ["set", "set/a.txt", "set/b", "set/b/c.txt"],
            "{packing:?}"
        );
        assert!(desk.heard("stage: Unpacking"));
    }
}

#[test]
fn what_is_there_is_neither_asked_for_nor_touched() {
    let server = Server::start(|_| Reply::status("404 Not Found"));
    let mut desk = Desk::new();
    fs::create_dir(desk.path("set")).unwrap();
    fs::write(desk.path("set/a.txt"), b"mine").unwrap();
    let fetched = desk
        .fetch(packed(Packing::Tar), &from(&server.url("")))
        .unwrap();
    assert!(!is_new(&fetched));
    assert_eq!(desk.all(), ["set", "set/a.txt"]);
    assert!(server.asked().is_empty() && desk.told.is_empty());
}

#[test]
fn something_else_at_the_place_is_told_and_kept() {
    let server = Server::of(b"x".to_vec());
    let options = from(&server.url(""));
    // A folder that lacks something.
    let mut desk = Desk::new();
    fs::create_dir(desk.path("set")).unwrap();
    let error = desk.fetch(packed(Packing::Tar), &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} is there, but lacks `a.txt`: it is not touched; move or remove it, then fetch \
             again",
            desk.path("set").display()
        )
    );
    // A file of another size.
    fs::write(desk.path("set/data.bin"), b"cut").unwrap();
    let error = desk.fetch(known(b"whole"), &options).unwrap_err();
    assert!(
        error.to_string().contains("but has 3 bytes instead of 5"),
        "{error}"
    );
    // A folder instead of a file.
    fs::remove_file(desk.path("set/data.bin")).unwrap();
    fs::create_dir(desk.path("set/data.bin")).unwrap();
    let error = desk.fetch(known(b"whole"), &options).unwrap_err();
    assert!(error.to_string().contains("but is not a file"), "{error}");
    assert_eq!(desk.all(), ["set", "set/data.bin"]);
    assert!(server.asked().is_empty());
}

#[cfg(unix)]
#[test]
fn a_link_at_the_place_is_not_written_through() {
    let elsewhere = tempfile::tempdir().unwrap();
    let server = Server::of(good_tar());
    let mut desk = Desk::new();
    std::os::unix::fs::symlink(elsewhere.path().join("absent"), desk.path("set")).unwrap();
    let error = desk
        .fetch(packed(Packing::Tar), &from(&server.url("")))
        .unwrap_err();
    assert!(matches!(error, FetchError::Incomplete { .. }), "{error}");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

/// Two files: one stays as it is, one is packed.
fn two(data: &[u8]) -> PublishedSet {
    let place = |file: PublishedFile, place| PublishedFile {
        becomes: match file.becomes {
            Becomes::Folder {
                packing,
                root,
                holds,
                bounds,
                ..
            } => Becomes::Folder {
                place,
                packing,
                root,
                holds,
                bounds,
            },
            Becomes::File { .. } => Becomes::File { place },
        },
        ..file
    };
    set(&[
        place(known(data), "set/data.bin"),
        place(packed(Packing::Tar), "set/inner"),
    ])
}

#[test]
fn a_set_of_several_files_continues_with_the_missing_ones() {
    let data = b"data".to_vec();
    let served = data.clone();
    let server = Server::start(move |asked| match (asked.target(), asked.number) {
        ("/data.bin", _) => Reply::of(&served, asked),
        (_, 1) => Reply::status("404 Not Found"),
        _ => Reply::of(&good_tar(), asked),
    });
    let options = from(&server.url(""));
    let mut desk = Desk::new();
    let error = desk
        .fetch_set(&two(&data), &options, &|| false)
        .unwrap_err();
    assert!(matches!(error, FetchError::Status { .. }), "{error}");
    let fetched = desk.fetch_set(&two(&data), &options, &|| false).unwrap();
    assert_eq!(
        fetched.iter().map(is_new).collect::<Vec<_>>(),
        [false, true]
    );
    let files = [
        "set",
        "set/data.bin",
        "set/inner",
        "set/inner/a.txt",
        "set/inner/b",
        "set/inner/b/c.txt",
    ];
    assert_eq!(desk.all(), files);
}

#[test]
fn a_local_file_is_checked_used_and_left_where_it_is() {
    let elsewhere = tempfile::tempdir().unwrap();
    let (data, archive) = (b"data".to_vec(), good_tar());
    fs::write(elsewhere.path().join("data.bin"), &data).unwrap();
    fs::write(elsewhere.path().join("set.archive"), &archive).unwrap();
    let mirror = elsewhere.path().to_str().unwrap();
    let mut desk = Desk::new();
    let fetched = desk
        .fetch_set(&two(&data), &from(mirror), &|| false)
        .unwrap();
    assert!(fetched.iter().all(is_new));
    assert_eq!(fs::read(desk.path("set/data.bin")).unwrap(), data);
    assert!(desk.path("set/inner/a.txt").exists() && !desk.path(".downloads").exists());
    assert_eq!(fs::read(elsewhere.path().join("data.bin")).unwrap(), data);
    assert_eq!(
        fs::read(elsewhere.path().join("set.archive")).unwrap(),
        archive
    );

    // Of the right size, and wrong: refused, and not removed.
    fs::write(elsewhere.path().join("data.bin"), b"DATA").unwrap();
    let mut desk = Desk::new();
    let error = desk.fetch(known(&data), &from(mirror)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(md5(b"DATA")) && text.ends_with(": replace it"),
        "{text}"
    );
    assert!(elsewhere.path().join("data.bin").exists());
    assert!(!desk.path("set").exists());
}

#[test]
fn an_archive_that_could_not_be_unpacked_is_not_downloaded_again() {
    let server = Server::of(good_tar());
    let options = from(&server.url(""));
    let mut desk = Desk::new();
    let path = desk.path(".downloads/test/set.archive");
    let sets = set(&[packed(Packing::Tar)]);
    // Stopped as soon as it unpacks.
    let error = desk
        .fetch_set(&sets, &options, &|| path.exists())
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("bytes are kept in") && text.contains("set.archive"),
        "{text}"
    );
    assert_eq!(
        desk.all(),
        [
            ".downloads",
            ".downloads/test",
            ".downloads/test/.lock",
            ".downloads/test/set.archive"
        ]
    );
    desk.fetch_set(&sets, &options, &|| false).unwrap();
    assert_eq!(server.asked().len(), 1);
    assert_eq!(desk.all(), ["set", "set/a.txt", "set/b", "set/b/c.txt"]);
}

#[test]
fn an_archive_of_something_else_is_not_kept_unless_it_is_what_was_published() {
    let other = tar_of(&[entry(b'0', b"other/a.txt", b"x")]);
    let lacking = tar_of(&[entry(b'0', b"set/b.txt", b"x")]);
    for (bytes, missing) in [(other, "set"), (lacking, "set/a.txt")] {
        for checked in [false, true] {
            let server = Server::of(bytes.clone());
            let checksum = Checksum::Md5(md5(&bytes));
            let file = PublishedFile {
                checksum: checked.then_some(checksum),
                ..packed(Packing::Tar)
            };
            let mut desk = Desk::new();
            let error = desk.fetch(file, &from(&server.url(""))).unwrap_err();
            assert!(error.to_string().contains("does not hold `set"), "{error}");
            assert!(error.to_string().contains(missing), "{error}");
            assert!(!desk.path("set").exists());
            let kept = desk.path(".downloads/test/set.archive").exists();
            assert_eq!(kept, checked);
        }
    }
}

#[test]
fn a_page_instead_of_an_archive_is_noticed() {
    let server = Server::of(b"<!DOCTYPE html><title>Sign in</title>".repeat(50));
    for packing in [Packing::Tar, Packing::TarGz, Packing::Zip] {
        let mut desk = Desk::new();
        let error = desk
            .fetch(packed(packing), &from(&server.url("")))
            .unwrap_err();
        let text = error.to_string();
        let expected = format!("it is damaged, or no {} archive", packing.name());
        assert!(text.contains(&expected), "{text}");
        assert!(desk.all().is_empty(), "{:?}", desk.all());
    }
}

#[test]
fn what_appears_at_the_place_meanwhile_stays_and_nothing_else_does() {
    let server = Server::of(good_tar());
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("set");
    let mut report = |event: Event<'_>| {
        if let Event::Progress {
            stage: Stage::Unpacking,
            ..
        } = event
        {
            fs::create_dir_all(&mine).unwrap();
            fs::write(mine.join("mine.txt"), b"mine").unwrap();
        }
    };
    let mut watch = Watch {
        report: &mut report,
        stop: &|| false,
    };
    let sets = set(&[packed(Packing::Tar)]);
    let error = fetch(&sets, folder.path(), &from(&server.url("")), &mut watch).unwrap_err();
    assert!(matches!(error, FetchError::Write { .. }), "{error}");
    let mut all = listed(folder.path());
    all.retain(|path| !path.starts_with(".downloads"));
    assert_eq!(all, ["set", "set/mine.txt"]);
}

#[test]
fn remains_of_a_killed_process_are_removed() {
    let server = Server::of(good_tar());
    let mut desk = Desk::new();
    fs::create_dir_all(desk.path(".abn-tmp-set-AbCdEf/b")).unwrap();
    let of_others = [".abn-tmp-other-AbCdEf", ".abn-tmp-set-160-AbCdEf"];
    for other in of_others {
        fs::create_dir_all(desk.path(other)).unwrap();
    }
    desk.fetch(packed(Packing::Tar), &from(&server.url("")))
        .unwrap();
    assert!(!desk.path(".abn-tmp-set-AbCdEf").exists());
    // Somebody may be unpacking another set.
    assert!(of_others.iter().all(|other| desk.path(other).exists()));
}

#[test]
fn a_folder_of_data_sets_is_made_when_something_comes() {
    let server = Server::of(b"x".to_vec());
    let parent = tempfile::tempdir().unwrap();
    let datasets = parent.path().join("new/datasets");
    let mut report = |_: Event<'_>| {};
    let mut watch = Watch {
        report: &mut report,
        stop: &|| false,
    };
    let fetch = |datasets: &Path, watch: &mut Watch<'_>| {
        fetch(
            &set(&[known(b"x")]),
            datasets,
            &from(&server.url("")),
            watch,
        )
    };
    fetch(&datasets, &mut watch).unwrap();
    assert!(datasets.join("set/data.bin").exists());
    // A file where the folder should be.
    let file = parent.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = fetch(&file, &mut watch).unwrap_err();
    assert!(matches!(error, FetchError::Write { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn permissions_are_those_of_the_user_and_not_of_the_archive() {
    use std::os::unix::fs::PermissionsExt;
    let mut bytes = tar::Header::new_gnu();
    bytes.set_path("set/a.txt").unwrap();
    bytes.set_mode(0o6_777);
    bytes.set_size(0);
    bytes.set_cksum();
    let server = Server::of(tar_of(&[bytes.as_bytes().to_vec()]));
    let mut desk = Desk::new();
    desk.fetch(packed(Packing::Tar), &from(&server.url("")))
        .unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7_777;
    // What this process gives to new files and folders.
    let (file, folder) = (desk.path("mine"), desk.path("folder"));
    fs::write(&file, b"").unwrap();
    fs::create_dir(&folder).unwrap();
    assert_eq!(mode(&desk.path("set/a.txt")), mode(&file));
    assert_eq!(mode(&desk.path("set")), mode(&folder));
}

//! Downloads: whole, broken and continued, and what servers do instead of serving.

use std::cell::Cell;
use std::fs;
use std::time::{Duration, Instant};

use abn_fetch::{Checksum, Event, FetchError, How, Options, PublishedFile, Size, Watch, fetch};

use crate::server::{Reply, Server, Then};
use crate::support::{Desk, from, known, md5, network, noise, set, unknown};

/// More than a block of 64 KiB, and no multiple of it.
const SIZE: usize = 200_001;

#[test]
fn a_file_comes_whole_with_its_sums_and_progress() {
    let content = noise(SIZE);
    let server = Server::of(content.clone());
    let mut desk = Desk::new();
    let fetched = desk
        .fetch(known(&content), &from(&server.url("data.bin")))
        .unwrap();
    assert_eq!(fs::read(&fetched.place).unwrap(), content);
    assert_eq!(fetched.place, desk.path("set/data.bin"));
    let How::New {
        origin,
        sums,
        checked,
    } = fetched.how
    else {
        panic!("it is new");
    };
    assert_eq!(origin, server.url("data.bin"));
    assert_eq!(sums.bytes, SIZE as u64);
    assert_eq!(sums.sha256.len(), 64);
    assert_eq!(checked, Some(Checksum::Md5(md5(&content))));
    assert!(desk.heard("kept: 0"));
    let last = format!("stage: Downloading, file: \"data.bin\", done: {SIZE}, total: Some({SIZE})");
    assert!(desk.heard(&last), "{:?}", desk.told.last());
    assert_eq!(desk.all(), ["set", "set/data.bin"]);
    let asked = &server.asked()[0];
    assert_eq!(asked.header("accept-encoding"), Some("identity"));
    assert!(
        asked
            .header("user-agent")
            .unwrap()
            .starts_with("abn-fetch/")
    );
}

#[test]
fn the_name_is_added_to_the_folder_of_a_mirror() {
    let server = Server::of(b"x".to_vec());
    let mut desk = Desk::new();
    desk.fetch(known(b"x"), &from(&server.url("deep/folder/")))
        .unwrap();
    assert_eq!(server.asked()[0].target(), "/deep/folder/data.bin");
}

#[test]
fn a_broken_download_is_continued_at_the_byte() {
    let content = noise(SIZE);
    let file = content.clone();
    let server = Server::start(move |asked| match asked.number {
        0 => Reply::of(&file, asked).cut(70_000),
        1 => Reply::of(&file, asked).cut(1),
        _ => Reply::of(&file, asked),
    });
    let mut desk = Desk::new();
    let fetched = desk
        .fetch(known(&content), &from(&server.url("data.bin")))
        .unwrap();
    assert_eq!(server.ranges(), [None, Some(70_000), Some(70_001)]);
    assert_eq!(fs::read(fetched.place).unwrap(), content);
    assert!(desk.heard("Waiting"));
}

#[test]
fn a_download_is_continued_by_the_next_process() {
    let content = noise(SIZE);
    let file = content.clone();
    let server = Server::start(move |asked| match asked.from() {
        None => Reply::of(&file, asked).cut(100_000),
        Some(_) if asked.number < 3 => Reply::of(&file, asked).cut(0),
        Some(_) => Reply::of(&file, asked),
    });
    let url = server.url("data.bin");
    let mut desk = Desk::new();
    let error = desk.fetch(known(&content), &from(&url)).unwrap_err();
    let FetchError::Network {
        attempts, bytes, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((attempts, bytes), (3, 100_000));
    assert!(
        error.to_string().contains("100000 bytes are kept in"),
        "{error}"
    );
    assert_eq!(fs::read(desk.part()).unwrap(), content[..100_000]);
    let fetched = desk.fetch(known(&content), &from(&url)).unwrap();
    assert!(desk.heard("kept: 100000"));
    assert_eq!(server.ranges()[3], Some(100_000));
    assert_eq!(fs::read(fetched.place).unwrap(), content);
    assert_eq!(desk.all(), ["set", "set/data.bin"]);
}

#[test]
fn a_server_without_ranges_begins_anew() {
    let content = noise(SIZE);
    let file = content.clone();
    let server = Server::start(move |asked| match asked.number {
        0 => Reply::whole(&file).cut(100_000),
        _ => Reply::whole(&file),
    });
    let mut desk = Desk::new();
    let fetched = desk
        .fetch(known(&content), &from(&server.url("data.bin")))
        .unwrap();
    assert_eq!(server.ranges(), [None, Some(100_000)]);
    assert!(desk.heard("Restarted"));
    assert_eq!(fs::read(fetched.place).unwrap(), content);
}

#[test]
fn a_server_that_always_breaks_off_is_given_up() {
    let content = noise(1_000);
    let file = content.clone();
    // Without ranges, and at another byte each time.
    let server = Server::start(move |asked| Reply::whole(&file).cut(900 - asked.number % 2 * 100));
    let mut desk = Desk::new();
    let error = desk
        .fetch(known(&content), &from(&server.url("data.bin")))
        .unwrap_err();
    assert!(
        matches!(error, FetchError::Network { attempts: 3, .. }),
        "{error}"
    );
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn only_the_same_file_is_continued_where_no_checksum_is_known() {
    let content = noise(1_000);
    let (old, new) = ("\"old\"", "\"new\"");
    for (left, now, expected) in [
        (old, old, Some(400)),
        (old, new, Some(400)),
        ("", old, None),
    ] {
        let file = content.clone();
        let server = Server::start(move |asked| {
            let same = asked.header("if-range") == Some(now);
            let reply = if same {
                Reply::of(&file, asked)
            } else {
                Reply::whole(&file)
            };
            reply.with("ETag", now)
        });
        let url = server.url("data.bin");
        let mut desk = Desk::new();
        // Of another file, so that a wrong mixture shows.
        let kept = if left == now {
            &content[..400]
        } else {
            &[7; 400]
        };
        desk.leave_part(kept, Some((&url, left)));
        let fetched = desk.fetch(unknown(2_000), &from(&url)).unwrap();
        assert_eq!(server.ranges(), [expected], "{left} {now}");
        assert_eq!(fs::read(fetched.place).unwrap(), content);
        assert_eq!(desk.heard("Restarted"), left != now);
    }
}

#[test]
fn bytes_of_another_address_are_continued_only_if_a_checksum_is_known() {
    let content = noise(1_000);
    let server = Server::of(content.clone());
    let url = server.url("data.bin");
    for (file, expected) in [(known(&content), Some(400)), (unknown(2_000), None)] {
        let mut desk = Desk::new();
        desk.leave_part(
            &content[..400],
            Some(("http://elsewhere/data.bin", "\"a\"")),
        );
        desk.fetch(file, &from(&url)).unwrap();
        assert_eq!(server.ranges().last(), Some(&expected));
        assert_eq!(server.asked().last().unwrap().header("if-range"), None);
    }
}

#[test]
fn a_complete_part_needs_no_server() {
    let mut desk = Desk::new();
    desk.leave_part(b"complete", None);
    let fetched = desk
        .fetch(known(b"complete"), &from("http://127.0.0.1:1/"))
        .unwrap();
    assert_eq!(fs::read(fetched.place).unwrap(), b"complete");
}

#[test]
fn a_part_that_is_complete_or_too_long_for_the_server_is_noticed() {
    let content = noise(1_000);
    let server = Server::of(content.clone());
    let url = server.url("data.bin");
    let mark = Some((&*url, "\"a\""));
    // Complete: the server has nothing more.
    let mut desk = Desk::new();
    desk.leave_part(&content, mark);
    let fetched = desk.fetch(unknown(2_000), &from(&url)).unwrap();
    assert_eq!(server.ranges(), [Some(1_000)]);
    assert_eq!(fs::read(fetched.place).unwrap(), content);
    // Longer than the server's file.
    let mut desk = Desk::new();
    desk.leave_part(&noise(1_500), mark);
    let fetched = desk.fetch(unknown(2_000), &from(&url)).unwrap();
    assert_eq!(server.ranges()[1..], [Some(1_500), None]);
    assert_eq!(fs::read(fetched.place).unwrap(), content);
    // Longer than the file can be.
    let mut desk = Desk::new();
    desk.leave_part(&noise(1_500), mark);
    desk.fetch(known(&content), &from(&url)).unwrap();
    assert_eq!(server.ranges()[3..], [None]);
}

#[test]
fn a_wrong_checksum_names_both_and_keeps_nothing() {
    let server = Server::of(b"tampered".to_vec());
    let mut desk = Desk::new();
    let file = PublishedFile {
        checksum: Some(Checksum::Md5(md5(b"original"))),
        ..known(b"original")
    };
    let url = server.url("data.bin");
    let error = desk.fetch(file, &from(&url)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{url} has the MD5 {}: expected {}; it is damaged or another file and was removed: \
             fetch it again, or from a mirror",
            md5(b"tampered"),
            md5(b"original")
        )
    );
    assert!(desk.all().is_empty(), "{:?}", desk.all());
}

#[test]
fn another_size_is_refused_before_anything_is_downloaded() {
    let server = Server::of(noise(1_000));
    let mut desk = Desk::new();
    let error = desk
        .fetch(known(b"short"), &from(&server.url("data.bin")))
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("has 1000 bytes: expected 5"), "{text}");
    let error = desk
        .fetch(unknown(999), &from(&server.url("data.bin")))
        .unwrap_err();
    assert!(
        matches!(error, FetchError::TooLong { limit: 999, .. }),
        "{error}"
    );
    assert!(!desk.heard("Progress"));
}

#[test]
fn a_shorter_file_without_a_length_is_noticed() {
    let server = Server::start(|asked| match asked.from() {
        None => Reply {
            length: None,
            ..Reply::whole(b"short")
        },
        Some(_) => Reply::of(b"short", asked),
    });
    let mut desk = Desk::new();
    let error = desk
        .fetch(known(b"longer"), &from(&server.url("data.bin")))
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("has 5 bytes: expected 6"), "{text}");
}

#[test]
fn a_body_without_end_is_cut_off() {
    let server = Server::start(|_| Reply {
        length: None,
        then: Then::Repeat,
        ..Reply::whole(&[1; 10_000])
    });
    let mut desk = Desk::new();
    for file in [known(&[1; 200_000]), unknown(200_000)] {
        let error = desk
            .fetch(file, &from(&server.url("data.bin")))
            .unwrap_err();
        assert!(
            matches!(error, FetchError::TooLong { limit: 200_000, .. }),
            "{error}"
        );
        assert!(desk.all().is_empty(), "{:?}", desk.all());
    }
}

#[test]
fn a_silent_server_is_given_up_and_can_be_stopped() {
    let content = noise(1_000);
    let file = content.clone();
    let server = Server::start(move |asked| Reply {
        then: Then::Silence,
        ..Reply::of(&file, asked).cut(if asked.number == 0 { 500 } else { 0 })
    });
    let url = server.url("data.bin");
    let mut desk = Desk::new();
    let mut options = from(&url);
    options.network.patience.silence = Duration::from_secs(1);
    let error = desk.fetch(known(&content), &options).unwrap_err();
    assert!(
        matches!(error, FetchError::Network { bytes: 500, .. }),
        "{error}"
    );

    options.network.patience.silence = Duration::from_secs(600);
    let began = Instant::now();
    let stop = || began.elapsed() > Duration::from_millis(200);
    let error = desk
        .fetch_set(&set(&[known(&content)]), &options, &stop)
        .unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(60));
    let text = error.to_string();
    assert!(text.starts_with("stopped; 500 bytes are kept in"), "{text}");
    assert_eq!(fs::read(desk.part()).unwrap(), content[..500]);
}

#[test]
fn stopping_keeps_what_arrived() {
    let content = noise(2_000_000);
    let server = Server::of(content.clone());
    let options = from(&server.url("data.bin"));
    let mut desk = Desk::new();
    let seen = Cell::new(false);
    let set = set(&[known(&content)]);
    let mut report = |event: Event<'_>| {
        if let Event::Progress { done: 1.., .. } = event {
            seen.set(true);
        }
    };
    let mut watch = Watch {
        report: &mut report,
        stop: &|| seen.get(),
    };
    let error = fetch(&set, desk.folder.path(), &options, &mut watch).unwrap_err();
    let FetchError::Stopped { bytes, .. } = error else {
        panic!("{error}");
    };
    assert!((1..2_000_000).contains(&bytes), "{bytes}");
    let fetched = desk.fetch(known(&content), &options).unwrap();
    assert_eq!(server.ranges()[1], Some(bytes as usize));
    assert_eq!(fs::read(fetched.place).unwrap(), content);
}

#[test]
fn redirects_are_followed_and_bounded() {
    let server = Server::start(|asked| match asked.target() {
        "/a/data.bin" => Reply::redirect("../b/data.bin?key=1"),
        "/b/data.bin?key=1" => Reply::redirect("/c"),
        "/c" => Reply::of(b"found", asked),
        _ => Reply::redirect("/loop"),
    });
    let mut desk = Desk::new();
    let fetched = desk
        .fetch(known(b"found"), &from(&server.url("a/")))
        .unwrap();
    assert_eq!(fs::read(fetched.place).unwrap(), b"found");
    let error = Desk::new()
        .fetch(known(b"found"), &from(&server.url("loop")))
        .unwrap_err();
    assert!(
        matches!(error, FetchError::Redirects { limit: 10, .. }),
        "{error}"
    );
    assert_eq!(server.asked().len(), 3 + 11);
}

#[test]
fn the_range_is_asked_for_behind_a_redirect() {
    let content = noise(1_000);
    let file = content.clone();
    let server = Server::start(move |asked| match asked.target() {
        "/data.bin" => Reply::redirect("/moved"),
        _ => Reply::of(&file, asked),
    });
    let mut desk = Desk::new();
    desk.leave_part(&content[..300], None);
    desk.fetch(known(&content), &from(&server.url("data.bin")))
        .unwrap();
    assert_eq!(server.ranges(), [Some(300), Some(300)]);
}

#[test]
fn a_redirect_out_of_http_is_refused() {
    let server = Server::start(|_| Reply::redirect("file:///etc/passwd"));
    let error = Desk::new()
        .fetch(known(b"x"), &from(&server.url("data.bin")))
        .unwrap_err();
    assert!(matches!(error, FetchError::Address { .. }), "{error}");
}

#[test]
fn a_missing_file_is_not_tried_again() {
    let server = Server::start(|_| Reply::status("404 Not Found"));
    let url = server.url("data.bin");
    let mut desk = Desk::new();
    let error = desk.fetch(known(b"x"), &from(&url)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{url} answered 404: the file is not there; check the address, or name a mirror")
    );
    assert_eq!(server.asked().len(), 1);
    assert!(desk.all().iter().all(|path| path.starts_with(".downloads")));
}

#[test]
fn a_busy_server_is_asked_again_when_it_wants() {
    let server = Server::start(|asked| match asked.number {
        0 => Reply::status("503 Service Unavailable").with("Retry-After", "0"),
        1 => Reply::status("429 Too Many Requests"),
        _ => Reply::of(b"found", asked),
    });
    let mut desk = Desk::new();
    desk.fetch(known(b"found"), &from(&server.url("data.bin")))
        .unwrap();
    assert_eq!(server.asked().len(), 3);
    assert!(
        desk.heard("wait: 0ns, attempt: 1, attempts: 3"),
        "{:?}",
        desk.told
    );

    let server = Server::start(|_| Reply::status("500 Internal Server Error"));
    let error = Desk::new()
        .fetch(unknown(9), &from(&server.url("x")))
        .unwrap_err();
    assert!(
        matches!(error, FetchError::Status { status: 500, .. }),
        "{error}"
    );
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn no_server_is_waited_for_longer_than_a_minute() {
    let server =
        Server::start(|_| Reply::status("503 Service Unavailable").with("Retry-After", "86400"));
    let wait = Cell::new(Duration::ZERO);
    let mut report = |event: Event<'_>| {
        if let Event::Waiting { wait: told, .. } = event {
            wait.set(told);
        }
    };
    let mut watch = Watch {
        report: &mut report,
        stop: &|| !wait.get().is_zero(),
    };
    let folder = tempfile::tempdir().unwrap();
    let options = from(&server.url("data.bin"));
    let error = fetch(&set(&[known(b"x")]), folder.path(), &options, &mut watch).unwrap_err();
    assert!(matches!(error, FetchError::Stopped { .. }), "{error}");
    assert_eq!(wait.get(), Duration::from_secs(60));
}

#[test]
fn other_bytes_than_were_asked_for_are_not_taken() {
    let content = noise(1_000);
    let file = content.clone();
    let server = Server::start(move |asked| match asked.from() {
        Some(_) => Reply {
            status: "206 Partial Content",
            ..Reply::whole(&file[100..])
        }
        .with("Content-Range", "bytes 100-999/1000"),
        None => Reply::whole(&file),
    });
    let mut desk = Desk::new();
    desk.leave_part(&content[..400], None);
    let fetched = desk
        .fetch(known(&content), &from(&server.url("data.bin")))
        .unwrap();
    assert_eq!(server.ranges(), [Some(400), None]);
    assert_eq!(fs::read(fetched.place).unwrap(), content);
}

#[test]
fn nobody_at_an_address_is_told_at_once() {
    let error = Desk::new()
        .fetch(known(b"x"), &from("http://127.0.0.1:1/x"))
        .unwrap_err();
    assert!(
        matches!(error, FetchError::Network { attempts: 1, .. }),
        "{error}"
    );
}

#[test]
fn garbage_instead_of_http_is_an_error() {
    let server = Server::start_with(
        |_| Reply::default(),
        |mut stream| {
            let _ = std::io::Write::write_all(&mut stream, b"\x16\x03\x01\x00garbage\r\n\r\n");
            Box::new(stream)
        },
    );
    let error = Desk::new()
        .fetch(known(b"x"), &from(&server.url("x")))
        .unwrap_err();
    assert!(matches!(error, FetchError::Network { .. }), "{error}");
}

#[test]
fn passwords_of_addresses_are_sent_and_not_shown() {
    let server = Server::of(noise(10));
    let url = format!("http://me:secret@127.0.0.1:{}/data.bin", server.port);
    let mut desk = Desk::new();
    let error = desk.fetch(known(b"x"), &from(&url)).unwrap_err();
    let shown = format!("{error} {error:?} {:?}", desk.told);
    assert!(!shown.contains("secret"), "{shown}");
    // `me:secret` in base64.
    assert_eq!(
        server.asked()[0].header("authorization"),
        Some("Basic bWU6c2VjcmV0")
    );
    let mut desk = Desk::new();
    desk.fetch(unknown(10), &from(&url)).unwrap();
    assert!(!format!("{:?}", desk.told).contains("secret"));
}

#[test]
fn the_official_address_is_the_default() {
    let server = Server::of(b"x".to_vec());
    let file = PublishedFile {
        url: server.url("official/data.bin").leak(),
        ..known(b"x")
    };
    let options = Options {
        mirror: None,
        network: network(),
    };
    Desk::new().fetch(file, &options).unwrap();
    assert_eq!(server.asked()[0].target(), "/official/data.bin");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_the_part_stays() {
    let server = Server::of(noise(SIZE));
    let mut desk = Desk::new();
    fs::create_dir_all(desk.part().parent().unwrap()).unwrap();
    // A file that takes nothing.
    std::os::unix::fs::symlink("/dev/full", desk.part()).unwrap();
    let file = PublishedFile {
        size: Size::AtMost(1_000_000),
        ..known(&noise(SIZE))
    };
    let error = desk
        .fetch(file, &from(&server.url("data.bin")))
        .unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("the disk is full: cannot write"), "{text}");
    assert!(
        text.ends_with("is kept and will not be downloaded again"),
        "{text}"
    );
    assert!(!desk.path("set").exists());
}

//! Running the program as a user does.

use std::path::Path;
use std::process::{Command, Output};

/// The program, in a folder, without the variables of the machine that the tests run on.
pub(crate) fn abn(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_abn-under-test"));
    command.current_dir(folder);
    command.env_remove("ABN_DATASETS").env_remove("COLUMNS");
    command
}

/// What a finished program said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(command: &mut Command) -> Said {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said {
        code: status.code(),
        out: text(stdout),
        err: text(stderr),
    }
}

/// Runs the program with arguments separated by blanks; it must succeed.
#[track_caller]
pub(crate) fn succeeds(folder: &Path, arguments: &str) -> Said {
    let said = run(abn(folder).args(arguments.split_whitespace()));
    assert_eq!(said.code, Some(0), "abn {arguments}\n{}", said.err);
    said
}

/// Runs the program; it must fail with that status, say each of the words, and not panic.
#[track_caller]
pub(crate) fn fails(folder: &Path, arguments: &str, code: i32, words: &[&str]) -> Said {
    let said = run(abn(folder).args(arguments.split_whitespace()));
    assert_eq!(said.code, Some(code), "abn {arguments}\n{}", said.err);
    assert!(
        !said.err.contains("panicked"),
        "abn {arguments}\n{}",
        said.err
    );
    for word in words {
        assert!(
            said.err.contains(word),
            "abn {arguments}\nno `{word}` in: {}",
            said.err
        );
    }
    said
}

//! `abn completions` and `abn man`: the command line for shells and for `man`.

use std::fs;

use abn_run::folder::FolderError;
use abn_run::folder::files::write_atomically;
use anyhow::Result;

use crate::cli::{CompletionsArgs, ManArgs, command};
use crate::terminal;

/// Prints what completes the commands in a shell.
///
/// # Errors
/// Stdout is closed.
pub fn complete(args: CompletionsArgs) -> Result<()> {
    let mut program = command();
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, name, &mut script);
    terminal::result(String::from_utf8_lossy(&script).trim_end())
}

/// Writes a manual page of the program and of each of its commands.
///
/// # Errors
/// The folder cannot be written.
pub fn write(args: ManArgs) -> Result<()> {
    fs::create_dir_all(&args.folder).map_err(FolderError::writing_in(&args.folder))?;
    // Gives the commands their full names.
    let mut program = command().disable_help_subcommand(true);
    program.build();
    let commands: Vec<_> = program.get_subcommands().cloned().collect();
    let pages = std::iter::once(program).chain(commands);
    let mut written = 0;
    for page in pages {
        let page = clap_mangen::Man::new(page);
        let mut text = Vec::new();
        page.render(&mut text)?;
        write_atomically(&args.folder.join(page.get_filename()), &text)?;
        written += 1;
    }
    let folder = args.folder.display();
    terminal::result(&format!("{written} manual pages in {folder}"))
}

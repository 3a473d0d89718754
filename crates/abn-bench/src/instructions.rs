//! The instruction set of our kernels, and how a process is made to use another.

use std::process::Command;

use abn_kernels::InstructionSet;

/// What the kernels read it from.
const VARIABLE: &str = "ABN_INSTRUCTIONS";

/// The set of that name, as a value of an option.
///
/// # Errors
/// This machine has none of that name.
pub(crate) fn parse(text: &str) -> Result<InstructionSet, String> {
    text.parse().map_err(|_| {
        let sets = InstructionSet::available();
        let names: Vec<String> = sets.iter().map(ToString::to_string).collect();
        format!("this machine has {}", names.join(", "))
    })
}

/// Has the kernels of a process use that set.
pub(crate) fn force(set: InstructionSet, command: &mut Command) {
    command.env(VARIABLE, set.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_that_are_not_there_are_refused_with_those_that_are() {
        assert_eq!(parse("portable"), Ok(InstructionSet::Portable));
        let error = parse("sse9").unwrap_err();
        assert!(error.starts_with("this machine has portable"), "{error}");
    }
}

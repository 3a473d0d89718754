//! What to type instead. The libraries speak of fields, files and folders; which option of the
//! command line is meant is known here alone.

use std::error::Error;

use abn_data::DataError;
use abn_explain::AnalysisError;
use abn_run::RunError;
use abn_run::datasets::PlaceError;
use abn_run::folder::FolderError;
use abn_run::recipe::RecipeError;
use abn_run::recipe::recognise::Recognised;
use abn_run::warm_start::WarmStartError;

use crate::device::check::Differs;

/// Another folder for what is written.
const OTHER_OUT: &str = "choose another --out";
/// The options of a recipe's fields whose name is not that of the field.
const RENAMED: [(&str, &str); 1] = [("learning_rate", "--lr")];

/// What to do about an error, in words of the command line; `None` if its text says it all.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    // The outermost of our errors knows what those below it are about.
    error.chain().find_map(hint_of).flatten()
}

/// What one of our errors suggests; `None` for the errors of others.
fn hint_of(cause: &(dyn Error + 'static)) -> Option<Option<String>> {
    let differs = || cause.downcast_ref().map(of_device);
    let analysis = cause.downcast_ref().map(of_analysis);
    let run = || cause.downcast_ref().map(of_run);
    let folder = || cause.downcast_ref().map(of_folder);
    let place = || cause.downcast_ref().map(of_place);
    let recipe = || cause.downcast_ref().map(of_recipe);
    let data = || cause.downcast_ref().map(of_data);
    analysis
        .or_else(run)
        .or_else(folder)
        .or_else(place)
        .or_else(recipe)
        .or_else(data)
        .or_else(differs)
}

fn of_device(_: &Differs) -> Option<String> {
    let hint = "build without the feature fusion, renew its driver, or choose another --device; \
                --no-check goes on all the same";
    Some(hint.to_owned())
}

fn of_analysis(error: &AnalysisError) -> Option<String> {
    match error {
        AnalysisError::Run(error) => of_run(error),
        AnalysisError::OfRun { source, .. } => of_analysis(source),
        AnalysisError::NoMethod { method, .. } => Some(format!(
            "--methods {} asks for what is not there; leave it out",
            method.name()
        )),
        _ => None,
    }
}

fn of_run(error: &RunError) -> Option<String> {
    match error {
        RunError::Recipe(error) => of_recipe(error),
        RunError::Folder(error) => of_folder(error),
        RunError::Place(error) => of_place(error),
        RunError::WarmStart(error) => of_start(error),
        RunError::DataSet(_) => {
            Some("--data or ABN_DATASETS says where the data set lies".to_owned())
        }
        RunError::Data(error) => of_data(error),
        RunError::OtherCount { .. } | RunError::OtherClass { .. } => {
            Some("--data names the data set that the run was trained on".to_owned())
        }
        RunError::BatchSize { batch, images } => Some(format!(
            "--batch-size {batch} is too large; give {images} or less"
        )),
        _ => None,
    }
}

/// Of images of data sets alone: those that were typed are no part of one.
fn of_data(error: &DataError) -> Option<String> {
    let hint = match error {
        DataError::Sample { source, .. } if source.is_damage() => {
            "--on-corrupt skip leaves out what cannot be read; `abn data check DIR` names all of it"
        }
        DataError::Sample { source, .. } => return of_data(source),
        DataError::TooManyUnreadable { .. } => {
            "`abn data check DIR` names all of them; --max-corrupt allows more"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn of_start(error: &WarmStartError) -> Option<String> {
    match error {
        WarmStartError::Unusable(_) => Some("give another --init".to_owned()),
        WarmStartError::Replaced(_) => Some(OTHER_OUT.to_owned()),
        WarmStartError::Misfit { known, .. } => known
            .as_ref()
            .map(|known| format!("it fits {}", options_of(known))),
    }
}

fn of_folder(error: &FolderError) -> Option<String> {
    let hint = match error {
        FolderError::Unwritable { .. } => {
            "give --out, or the option that named it, a folder that can be written"
        }
        FolderError::IsFile(_) => "--out names a folder",
        FolderError::Occupied(_) => OTHER_OUT,
        FolderError::InUse(_) => "wait for it or choose another --out",
        FolderError::OtherConfiguration { .. } => {
            "leave these options out to continue the run as it is, or choose another --out"
        }
        FolderError::Damaged { .. } | FolderError::Checkpoint { .. } => {
            "restore it, or train into another --out"
        }
        FolderError::NoRun(_) | FolderError::NotARun(_) => {
            "a run is the folder that `abn train` or `abn import` was given as --out"
        }
        FolderError::NoTrainingState(_) => "train into another --out with --init",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn of_place(error: &PlaceError) -> Option<String> {
    Some(match error {
        PlaceError::BuiltIn { .. } => "leave --data out".to_owned(),
        PlaceError::Unknown { name, .. } => format!("--dataset {name} needs --data DIR"),
        PlaceError::Unusable(_) => "give another --data".to_owned(),
    })
}

fn of_recipe(error: &RecipeError) -> Option<String> {
    match error {
        RecipeError::Range { field, expected } => {
            let renamed = RENAMED.iter().find(|(name, _)| name == field);
            let option = renamed.map_or_else(
                || format!("--{}", field.replace('_', "-")),
                |(_, option)| (*option).to_owned(),
            );
            Some(format!("{option} must be {expected}"))
        }
        RecipeError::Blocks { .. } => {
            Some("leave --block out, or choose another --arch".to_owned())
        }
        RecipeError::TooSmall { smallest, .. } => {
            Some(format!("--size must be at least {smallest}"))
        }
        RecipeError::NoDropout { .. } => Some("leave --dropout out".to_owned()),
        RecipeError::NoSuchSetting { .. } | RecipeError::Settings { .. } => Some(
            "--set takes paths of config.json; --attention and --block choose modules".to_owned(),
        ),
        RecipeError::Architecture { .. } => Some("`abn models` lists what --arch takes".to_owned()),
        _ => None,
    }
}

/// The options that ask for a network.
pub fn options_of(network: &Recognised) -> String {
    let (name, classes) = (&network.architecture.name, network.classes);
    let attention = network.attention.name();
    format!("--arch {name} --attention {attention} --classes {classes}")
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_field_is_called_as_it_is_typed() {
        let range = |field| RecipeError::Range {
            field,
            expected: "at least 1".to_owned(),
        };
        let hint = |error: RecipeError| hint(&anyhow::Error::from(RunError::from(error)));
        let hints = ["batch_size", "learning_rate"].map(|field| hint(range(field)).unwrap());
        assert_eq!(
            hints,
            ["--batch-size must be at least 1", "--lr must be at least 1"]
        );
    }

    #[test]
    fn hints_are_found_below_a_context() {
        let occupied = FolderError::Occupied("papers".into());
        let error = anyhow::Error::from(RunError::from(occupied)).context("training");
        assert_eq!(hint(&error).unwrap(), OTHER_OUT);
        let other = std::io::Error::other("x");
        assert_eq!(hint(&Err::<(), _>(other).context("y").unwrap_err()), None);
    }

    #[test]
    fn a_configuration_on_disk_was_not_typed() {
        let source = RecipeError::Range {
            field: "epochs",
            expected: "at least 1".to_owned(),
        };
        let path = "run/config.json".into();
        let error = FolderError::Configuration { path, source };
        assert_eq!(hint(&anyhow::Error::from(error)), None);
    }
}

//! The defaults that the help of `abn train` names: those of the data sets themselves.

use std::fmt::Write as _;

use abn_run::datasets::{ALL, DataSet};
use abn_run::recipe::defaults::Defaults;
use clap::{Arg, ValueEnum};

/// An argument whose help names what it is for each data set if it is left out.
pub(super) fn with_defaults(argument: Arg) -> Arg {
    let shown: fn(&Defaults) -> String = match argument.get_id().as_str() {
        "arch" => |defaults| defaults.architecture.to_owned(),
        "epochs" => |defaults| defaults.epochs.to_string(),
        "batch_size" => |defaults| defaults.batch_size.to_string(),
        "lr" => |defaults| defaults.learning_rate.to_string(),
        "schedule" => |defaults| defaults.falls.to_string(),
        "gamma" => |defaults| defaults.gamma.to_string(),
        "weight_decay" => |defaults| format!("{:e}", defaults.sgd.weight_decay),
        "momentum" => |defaults| defaults.sgd.momentum.to_string(),
        "dropout" => |defaults| match defaults.dropout {
            Some(probability) => probability.to_string(),
            None => "none but in VGG's head".to_owned(),
        },
        "augment" => |defaults| {
            let name = defaults.augment.to_possible_value();
            name.map(|name| name.get_name().to_owned())
                .unwrap_or_default()
        },
        "size" => |defaults| defaults.side.to_string(),
        "labels" => return with_help(argument, &labels()),
        _ => return argument,
    };
    with_help(argument, &format!(" [default: {}]", by_data_set(shown)))
}

/// An argument with more to its help.
fn with_help(argument: Arg, more: &str) -> Arg {
    let help = argument.get_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    // What is said of the data set in general is said of each.
    let help = help.trim_end_matches(" [default: the data set's]");
    let help = format!("{help}{more}");
    argument.help(help)
}

/// What can be chosen of each data set that has a choice.
fn labels() -> String {
    let choices = ALL.iter().filter(|dataset| !dataset.labels.is_empty());
    choices.fold(String::new(), |mut text, dataset| {
        let (first, all) = (dataset.labels[0], dataset.labels.join(", "));
        let _ = write!(text, "; for {}: {all} [default: {first}]", dataset.name);
        text
    })
}

/// The value of every data set, those of the same value together, then what other families of
/// networks have.
fn by_data_set(shown: fn(&Defaults) -> String) -> String {
    let usual = |dataset: &DataSet| shown(&dataset.defaults);
    let mut values = grouped(ALL.iter().map(|dataset| (usual(dataset), dataset.name)));
    if let [(_, names)] = &mut values[..] {
        names.clear();
    }
    let families = ALL.iter().flat_map(|dataset| {
        let of_family = dataset.families.iter().map(|(family, defaults)| {
            let value = shown(defaults);
            (value != usual(dataset)).then(|| (format!("{value} with {family}"), dataset.name))
        });
        of_family.flatten()
    });
    values.extend(grouped(families));
    let text = |(value, names): (String, Vec<&str>)| match &names[..] {
        [] => value,
        [name] => format!("{value} for {name}"),
        [first @ .., last] => format!("{value} for {} and {last}", first.join(", ")),
    };
    let texts: Vec<String> = values.into_iter().map(text).collect();
    texts.join("; ")
}

/// The names of each value, in the order of the first.
fn grouped(
    pairs: impl Iterator<Item = (String, &'static str)>,
) -> Vec<(String, Vec<&'static str>)> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (value, name) in pairs {
        match groups.iter_mut().find(|(known, _)| *known == value) {
            Some((_, names)) => names.push(name),
            None => groups.push((value, vec![name])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use abn_run::recipe::Recipe;

    use super::*;
    use crate::cli::command;

    fn help_of(argument: &str) -> String {
        let program = command();
        let train = program.find_subcommand("train").unwrap();
        let found = train
            .get_arguments()
            .find(|found| found.get_id() == argument);
        found.unwrap().get_help().unwrap().to_string()
    }

    #[test]
    fn the_help_names_what_a_recipe_has() {
        for dataset in ALL {
            let recipe = Recipe::of(dataset, None);
            for (argument, value) in [
                ("arch", recipe.architecture.clone()),
                ("epochs", recipe.epochs.to_string()),
                ("batch_size", recipe.batch_size.to_string()),
                ("lr", recipe.learning_rate.to_string()),
                ("size", recipe.side().to_string()),
            ] {
                let help = help_of(argument);
                let clauses = help.split("[default: ").nth(1).unwrap().split(';');
                let mut own = clauses.filter(|clause| clause.contains(dataset.name));
                let clause = own.next().unwrap().trim();
                assert!(
                    clause.starts_with(&format!("{value} for ")),
                    "{argument}: {help}"
                );
            }
        }
        assert!(help_of("momentum").ends_with("[default: 0.9]"));
        let labels = help_of("labels");
        assert!(
            labels.contains("cifar100: fine, coarse, both [default: fine]"),
            "{labels}"
        );
    }

    #[test]
    fn the_help_names_families_that_are_trained_in_another_way() {
        let epochs = help_of("epochs");
        assert!(
            epochs.contains("200 with WRN for cifar10 and cifar100"),
            "{epochs}"
        );
        assert_eq!(epochs.matches("with").count(), 1, "{epochs}");
    }
}

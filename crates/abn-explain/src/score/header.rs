//! The first line of a [`Store`] of scores: everything that decides the others.

use std::path::Path;

use serde::Serialize;

use super::{Examined, Metric, Plan};
use crate::AnalysisError;
use crate::store::Store;

/// The measures of a store whose first line names none.
const FIRST: &str = "deletion insertion deletion_blur insertion_zero average_drop increase \
                     pointing_game energy iou auc sparseness randomised";

#[derive(Serialize)]
struct Header<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    measures: Option<&'a str>,
}

impl Store<Examined> {
    /// Opens what is measured by a plan, or begins it.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn of_plan(
        folder: &Path,
        plan: &Plan,
        batch: usize,
        count: usize,
    ) -> Result<Self, AnalysisError> {
        let header = header(plan, &Metric::ALL.map(Metric::column).join(" "))?;
        Self::open(folder, &header, batch, count)
    }
}

/// Rows with other measures are those of another plan: a mean over some of the images would look
/// like one over all.
fn header(plan: &Plan, measures: &str) -> Result<String, AnalysisError> {
    let measures = (measures != FIRST).then_some(measures);
    Ok(serde_json::to_string(&Header { plan, measures })?)
}

#[cfg(test)]
mod tests {
    use abn_core::explain::{Layer, Method};

    use super::*;
    use crate::score::ClassChoice;

    #[test]
    fn another_set_of_measures_begins_anew() {
        let plan = Plan {
            weights: "w".to_owned(),
            images: "i".to_owned(),
            objects: None,
            methods: vec![Method::Cam],
            layer: Layer::Refined,
            class: ClassChoice::Label,
            group: None,
            steps: 5,
            randomised: 0,
            files: None,
            fine_tuned: None,
            check: false,
        };
        let first = header(&plan, FIRST).unwrap();
        assert_eq!(first, serde_json::to_string(&plan).unwrap(), "as it was");
        let more = header(&plan, &format!("{FIRST} more")).unwrap();
        assert!(more.ends_with(r#"randomised more"}"#), "{more}");
    }
}

//! What another device computes is compared with the CPU before it is believed.

use abn_core::state::{State, state_of};
use abn_data::Batch;
use abn_run::detector_session::DetectorSession;
use abn_run::recipe::RunConfig;
use abn_run::self_check::{Comparison, Deviation, built_in_images, compare};
use abn_run::session::Session;
use anyhow::{Result, bail};
use burn::tensor::Device;

use crate::terminal;

/// Most tensors that an error names.
const SHOWN: usize = 4;

/// A device that gives other numbers than the CPU.
#[derive(Debug, Clone, PartialEq)]
pub struct Differs {
    /// What differs, the farthest off first.
    pub deviations: Vec<Deviation>,
}

impl std::fmt::Display for Differs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = |deviation: &Deviation| {
            let found = match deviation.found {
                found if found.is_finite() => format!("is off by {:.2} %", 100.0 * found),
                _ => "has no numbers".to_owned(),
            };
            let Deviation { of, allowed, .. } = deviation;
            format!("\n  {of} {found} ({:.0} % is allowed)", 100.0 * allowed)
        };
        write!(f, "this device does not compute what the CPU computes:")?;
        for deviation in self.deviations.iter().take(SHOWN) {
            f.write_str(&told(deviation))?;
        }
        match self.deviations.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl std::error::Error for Differs {}

/// Compares a device with the CPU on what is to be trained there.
///
/// # Errors
/// It computes something else.
pub fn before_training(
    config: &RunConfig,
    weights: &State,
    first: Option<Batch>,
    device: &Device,
) -> Result<()> {
    let Some(first) = first else {
        // The training will tell that they cannot be read.
        return Ok(());
    };
    checked(config, weights, &first, device, true)
}

/// Compares a device with the CPU on an opened run.
///
/// # Errors
/// It computes something else.
pub fn before_use(session: &Session) -> Result<()> {
    if super::computes_as_the_cpu(&session.device) {
        return Ok(());
    }
    let weights = state_of(&session.classifier);
    let images = built_in_images(&session.config)?;
    checked(&session.config, &weights, &images, &session.device, false)
}

/// The same of a detector.
///
/// # Errors
/// It computes something else.
pub fn before_detection(session: &DetectorSession) -> Result<()> {
    if super::computes_as_the_cpu(&session.device) {
        return Ok(());
    }
    let weights = state_of(&session.detector);
    let images = built_in_images(&session.config)?;
    checked(&session.config, &weights, &images, &session.device, false)
}

fn checked(
    config: &RunConfig,
    weights: &State,
    images: &Batch,
    device: &Device,
    trains: bool,
) -> Result<()> {
    let cpu = match super::cpu() {
        Some(cpu) if !super::computes_as_the_cpu(device) => cpu,
        Some(_) => return Ok(()),
        None => {
            terminal::note("warning: this build has no CPU to compare the device with");
            return Ok(());
        }
    };
    let found = compare(config, weights, images, [&cpu, device], trains)?;
    let deviations: Vec<Deviation> = found.refused().cloned().collect();
    if !deviations.is_empty() {
        bail!(Differs { deviations });
    }
    terminal::note(&format!(
        "the device computes as the CPU does: {}",
        words(&found)
    ));
    Ok(())
}

/// How far both are from each other.
pub fn words(found: &Comparison) -> String {
    let most = |deviations: &[Deviation]| deviations.first().map_or(0.0, |first| first.found);
    let outputs = format!("outputs within {:.1e}", most(&found.outputs));
    match found.gradients.is_empty() {
        true => outputs,
        false => format!("{outputs}, gradients within {:.1e}", most(&found.gradients)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let off = |of: &str, found| Deviation {
            of: of.to_owned(),
            found,
            allowed: 0.05,
        };
        let mut deviations = vec![off("logits", f64::INFINITY), off("fc.weight", 0.214)];
        let told = Differs {
            deviations: deviations.clone(),
        };
        assert_eq!(
            told.to_string(),
            "this device does not compute what the CPU computes:\n  logits has no numbers (5 % is \
             allowed)\n  fc.weight is off by 21.40 % (5 % is allowed)"
        );
        deviations.extend([1, 2, 3].map(|_| off("stem", 0.1)));
        assert!(
            Differs { deviations }
                .to_string()
                .ends_with("\n  and 1 more")
        );
    }
}

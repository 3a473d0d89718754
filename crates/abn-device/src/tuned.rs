//! The fastest of several kernels for each shape: found by timing them, and kept from one process
//! to the next.

use std::path::PathBuf;
#[cfg(feature = "tuned")]
use std::sync::OnceLock;

use serde::Serialize;

/// Where a build with the feature `tuned` keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TunedKernels {
    /// A database of the kernels' library.
    pub file: PathBuf,
    /// Why the file cannot be used: then every process times its kernels anew.
    pub unusable: Option<String>,
}

/// Those of this build, as they are when first asked for; none where it takes kernels as they come.
pub fn tuned_kernels() -> Option<TunedKernels> {
    #[cfg(feature = "tuned")]
    {
        static FOUND: OnceLock<TunedKernels> = OnceLock::new();
        Some(FOUND.get_or_init(kept).clone())
    }
    #[cfg(not(feature = "tuned"))]
    None
}

/// Opened as the kernels' library does, which says nothing of a file that it cannot use, and panics
/// in some that are damaged.
#[cfg(feature = "tuned")]
fn kept() -> TunedKernels {
    use cubecl_environment::environment;
    use cubecl_environment::persistence::{Access, Database};
    let file = environment::path();
    let opened = crate::failure::without_panic(|| Database::open_at(&file, Access::ReadWrite));
    TunedKernels {
        unusable: match opened {
            Some(opened) => opened.err(),
            None => Some("it is damaged".to_owned()),
        },
        file,
    }
}

#[cfg(all(test, feature = "tuned"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_database_is_told() {
        let folder = std::env::temp_dir().join(format!("abn-tuned-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder to try in");
        let [sound, damaged] = ["sound.db", "damaged.db"].map(|name| folder.join(name));
        std::fs::write(&damaged, [7; 8192]).expect("a file of the own");
        cubecl_environment::environment::load(&sound);
        assert_eq!(kept().unusable, None);
        cubecl_environment::environment::load(&damaged);
        assert!(kept().unusable.is_some());
        std::fs::remove_dir_all(&folder).expect("the own folder");
    }
}

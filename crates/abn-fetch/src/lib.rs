//! Published data sets for attention branch networks: downloaded, checked, unpacked.
//!
//! - [`ALL`] lists the [`PublishedSet`]s, with addresses, sizes and checksums.
//! - [`fetch`] brings one to its place in the folder of data sets, from its authors, from a mirror
//!   or from this machine.
//! - [`unpack`] alone makes a folder of an archive that may be hostile.
//! - A [`Watch`] is told of everything, and may stop it.
//!
//! One decision shapes the crate: **what lies at its place is complete, and nothing else is ever
//! put there**. Downloads and half-unpacked folders have other names until they are renamed. So a
//! broken download, a full disk or Ctrl-C at any instant leaves the place as it was; what was
//! downloaded is kept and continued the next time. Only a power cut can take what the system has
//! not written yet: the many files of a folder are not synced one by one.
//!
//! An archive is not trusted, even of the right checksum. A name that leads out of the folder, a
//! link, a device, two entries of one name, and more bytes or entries than a data set has, end the
//! unpacking, and nothing of it remains.
//!
//! ```
//! use abn_fetch::{Checksum, PublishedSet};
//!
//! let cifar = PublishedSet::named("cifar10").expect("it is in the list");
//! assert_eq!(cifar.folder, "cifar-10-batches-bin");
//! assert_eq!(cifar.bytes(), Some(170_052_171));
//! assert!(matches!(cifar.files[0].checksum, Some(Checksum::Md5(_))));
//! ```
//!
//! Fetching takes a network:
//!
//! ```no_run
//! use std::path::Path;
//! use abn_fetch::{Event, How, Network, Options, PublishedSet, Watch, fetch};
//!
//! let options = Options { mirror: None, network: Network::from_env() };
//! let set = PublishedSet::named("imagewoof-160").expect("it is in the list");
//! let mut report = |_: Event<'_>| {};
//! let mut watch = Watch { report: &mut report, stop: &|| false };
//! for file in fetch(set, Path::new("datasets"), &options, &mut watch)? {
//!     if let How::New { sums, checked: None, .. } = file.how {
//!         println!("no checksum is published; SHA-256 {}", sums.sha256);
//!     }
//! }
//! # Ok::<(), abn_fetch::FetchError>(())
//! ```

mod blocks;
mod catalog;
mod checksum;
mod download;
mod error;
mod fetch;
mod mirror;
mod network;
mod part;
mod proxy;
mod request;
mod unpack;
mod url;
mod watch;
mod workplace;

pub use catalog::{ALL, Becomes, PublishedFile, PublishedSet, Size};
pub use checksum::{Checksum, Sums};
pub use error::FetchError;
pub use fetch::{Fetched, How, Options, fetch};
pub use network::{Network, Patience};
pub use proxy::Proxies;
pub use unpack::{Archive, Bounds, Packing, Unpacked, unpack};
pub use watch::{Event, Stage, Watch};

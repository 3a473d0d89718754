//! Looks at every image of a data set before anybody trains on it.

mod damage;
mod pass;

pub use damage::unreadable;
pub use pass::Watch;

//! A pass over every image of a data set.

mod damage;
mod pass;

pub use damage::unreadable;
pub use pass::Watch;

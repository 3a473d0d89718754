//! What is right for an image: what a network is to learn of it.

/// What is right for one image. Where its object lies is another matter: that is the
/// [masks](crate::Sample::masks) of its sample, which nothing learns from.
///
/// A data set whose images hold objects to be found has another kind of target, and the compiler
/// names every place that must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The right class of each [group](crate::Group) of the data set's labels, counted in the
    /// group.
    Classes(Vec<usize>),
}

impl Target {
    /// The class of an image with one label.
    #[must_use]
    pub fn class(class: usize) -> Self {
        Self::Classes(vec![class])
    }

    /// The right class of each group.
    #[must_use]
    pub fn classes(&self) -> &[usize] {
        let Self::Classes(classes) = self;
        classes
    }
}

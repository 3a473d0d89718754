//! What is right for an image: what a network is to learn of it.

/// What is right for one image. Where its object lies is another matter: that is the
/// [masks](crate::Sample::masks) of its sample, which nothing learns from.
///
/// A data set whose images hold objects to be found has another kind of target, and the compiler
/// names every place that must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The right class of each [group](crate::Group) of the data set's labels, counted in the
    /// group; `None` where nobody knows it.
    Classes(Vec<Option<usize>>),
}

impl Target {
    /// The class of an image with one label.
    #[must_use]
    pub fn class(class: usize) -> Self {
        Self::known(vec![class])
    }

    /// The class of every group.
    #[must_use]
    pub fn known(classes: Vec<usize>) -> Self {
        Self::Classes(classes.into_iter().map(Some).collect())
    }

    /// The right class of each group, where it is known.
    #[must_use]
    pub fn classes(&self) -> &[Option<usize>] {
        let Self::Classes(classes) = self;
        classes
    }

    /// The right class of a group, if it is known.
    #[must_use]
    pub fn of(&self, group: usize) -> Option<usize> {
        self.classes().get(group).copied().flatten()
    }
}

//! What is told of a scene: nine attributes, each of which an object of its own has or none.

use crate::drawn::Form;

/// Something that one object of a scene has, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    /// An object of that form is there.
    Form(Form),
    /// An object of that colour is there.
    Hue(Hue),
    /// A striped object is there.
    Striped,
    /// A large object is there.
    Large,
    /// An object is in the sky.
    Aloft,
}

/// Colours that an attribute is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hue {
    Red,
    Blue,
}

impl Attribute {
    /// All of them, in the order of their labels.
    pub(super) const ALL: [Self; 9] = [
        Self::Form(Form::Ring),
        Self::Form(Form::Triangle),
        Self::Form(Form::Star),
        Self::Form(Form::Cross),
        Self::Hue(Hue::Red),
        Self::Hue(Hue::Blue),
        Self::Striped,
        Self::Large,
        Self::Aloft,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Form(form) => form.name(),
            Self::Hue(Hue::Red) => "red",
            Self::Hue(Hue::Blue) => "blue",
            Self::Striped => "striped",
            Self::Large => "large",
            Self::Aloft => "aloft",
        }
    }

    /// Whether an object that is moved keeps it.
    pub(super) fn survives_moving(self) -> bool {
        self != Self::Aloft
    }

    /// Whether an object of another colour keeps it.
    pub(super) fn survives_recolouring(self) -> bool {
        !matches!(self, Self::Hue(_))
    }
}

//! Weights in the order in which the kernels read them, for the next forward pass.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::flex::FlexTensor;

use super::slice;
use crate::InstructionSet;
use crate::conv::{Algorithm, Convolution, Prepared};
use crate::memory::give_freed_back;

/// Bytes of weights from which on it matters where they come to lie.
const LARGE: usize = 1 << 20;

/// Shared by the clones of a convolution.
#[derive(Clone, Default)]
pub(in crate::ops) struct Place(Arc<Mutex<Option<Entry>>>);

struct Entry {
    /// Held, so that nobody can change the values or put others at their address.
    weight: FlexTensor,
    prepared: Arc<Prepared>,
}

impl Place {
    /// The contiguous weight as the convolution reads it, kept or made now.
    pub(super) fn prepared(
        &self,
        algorithm: Algorithm,
        geometry: &Convolution,
        weight: &FlexTensor,
    ) -> Arc<Prepared> {
        let (set, values) = (InstructionSet::in_use(), slice(weight));
        if let Some(entry) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner)
            && std::ptr::eq(slice(&entry.weight), values)
            && entry.prepared.serves(set, algorithm, geometry)
        {
            return entry.prepared.clone();
        }
        // The memory of the old ones is free before the new ones need it.
        let is_first = self.take().is_none();
        let prepared = Arc::new(Prepared::new(set, algorithm, geometry, values));
        if is_first && size_of_val(values) >= LARGE {
            // They lie where features were, and the next pass needs memory elsewhere for those.
            give_freed_back();
        }
        let entry = Entry {
            weight: weight.clone(),
            prepared: prepared.clone(),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry);
        prepared
    }

    /// Gives the memory back.
    pub(super) fn clear(&self) {
        self.take();
    }

    fn take(&self) -> Option<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

//! Memory of the kernels: aligned, reused by each thread, and outputs that are written once.

use std::cell::Cell;
use std::marker::PhantomData;

use rayon::prelude::*;

use crate::memory::advise_huge_pages;

/// One cache line of values, so that vectors of aligned buffers never cross two.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line([f32; Line::LEN]);

impl Line {
    pub(crate) const LEN: usize = 16;

    /// Lines of zeros for at least `len` values.
    pub(crate) fn zeroed(len: usize) -> Vec<Line> {
        let mut lines = Self::reserved(len);
        lines.resize(len.div_ceil(Self::LEN), Line([0.0; Line::LEN]));
        lines
    }

    /// The same by all threads.
    pub(crate) fn zeroed_by_all(len: usize) -> Vec<Line> {
        /// Values that a thread writes at once.
        const PART: usize = 1 << 18;
        // SAFETY: the parts are all of it.
        unsafe {
            Self::filled(len, |values| {
                values.par_chunks_mut(PART).for_each(|part| part.fill(0.0));
            })
        }
    }

    /// Lines for at least `len` values that `fill` writes before anybody reads them.
    ///
    /// # Safety
    /// `fill` writes every value of the slice, which are those of whole lines.
    pub(crate) unsafe fn filled(len: usize, fill: impl FnOnce(&mut [f32])) -> Vec<Line> {
        let mut lines = Self::reserved(len);
        let count = len.div_ceil(Self::LEN);
        // SAFETY: so many are reserved, and written by the contract; `f32` has no invalid values.
        unsafe {
            let values = lines.as_mut_ptr().cast();
            fill(std::slice::from_raw_parts_mut(values, count * Self::LEN));
            lines.set_len(count);
        }
        lines
    }

    fn reserved(len: usize) -> Vec<Line> {
        let lines = Vec::<Line>::with_capacity(len.div_ceil(Self::LEN));
        advise_huge_pages(lines.as_ptr().cast(), len * size_of::<f32>());
        lines
    }

    /// Lines of zeros for at least `len` doubles.
    pub(crate) fn zeroed_doubles(len: usize) -> Vec<Line> {
        Self::zeroed(2 * len)
    }

    pub(crate) fn doubles_mut(lines: &mut [Line]) -> &mut [f64] {
        // SAFETY: as in `values_mut`; a double is as long as two values, and any bits are one.
        unsafe {
            std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * Line::LEN / 2)
        }
    }

    pub(crate) fn values(lines: &[Line]) -> &[f32] {
        // SAFETY: a line is `LEN` values without padding (`repr(C)`, 64 bytes of both size and
        // alignment).
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * Line::LEN) }
    }

    pub(crate) fn values_mut(lines: &mut [Line]) -> &mut [f32] {
        // SAFETY: as in `values`; the borrow is exclusive.
        unsafe {
            std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * Line::LEN)
        }
    }
}

/// Calls a function with `len` values of scratch memory, which are whatever the thread left there
/// before.
pub(crate) fn with_scratch<R>(len: usize, function: impl FnOnce(&mut [f32]) -> R) -> R {
    thread_local! {
        static SCRATCH: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
    }
    // A nested call finds nothing there and takes memory of its own.
    let mut lines = SCRATCH.take();
    if lines.len() * Line::LEN < len {
        lines = Line::zeroed(len);
    }
    let result = function(&mut Line::values_mut(&mut lines)[..len]);
    SCRATCH.set(lines);
    result
}

/// An output that several threads fill, each its own part.
#[derive(Clone, Copy)]
pub(crate) struct Output<'a> {
    pointer: *mut f32,
    len: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: values are reached through raw pointers alone, whose users write each its own part.
unsafe impl Send for Output<'_> {}
// SAFETY: the same.
unsafe impl Sync for Output<'_> {}

impl<'a> Output<'a> {
    pub(crate) fn new(values: &'a mut [f32]) -> Self {
        Self {
            pointer: values.as_mut_ptr(),
            len: values.len(),
            lifetime: PhantomData,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn pointer(&self) -> *mut f32 {
        self.pointer
    }

    /// The address of a value, up to and including the end.
    pub(crate) fn at(&self, index: usize) -> *mut f32 {
        assert!(index <= self.len);
        // SAFETY: inside the allocation or at its end.
        unsafe { self.pointer.add(index) }
    }
}

/// Values that several threads read, and that an [`Output`] may replace at the same index after
/// they were read.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    pointer: *const f32,
    len: usize,
    lifetime: PhantomData<&'a [f32]>,
}

// SAFETY: values are reached through raw pointers alone, whose users know who else writes.
unsafe impl Send for Input<'_> {}
// SAFETY: the same.
unsafe impl Sync for Input<'_> {}

impl<'a> Input<'a> {
    pub(crate) fn new(values: &'a [f32]) -> Self {
        Self {
            pointer: values.as_ptr(),
            len: values.len(),
            lifetime: PhantomData,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn pointer(&self) -> *const f32 {
        self.pointer
    }
}

impl<'a> From<Output<'a>> for Input<'a> {
    fn from(output: Output<'a>) -> Self {
        Self {
            pointer: output.pointer,
            len: output.len,
            lifetime: PhantomData,
        }
    }
}

/// Integers as the bits of values, which are moved and compared only.
pub(crate) fn bits(integers: &[i32]) -> &[f32] {
    // SAFETY: both have 4 bytes, the same alignment and no invalid bits.
    unsafe { std::slice::from_raw_parts(integers.as_ptr().cast(), integers.len()) }
}

pub(crate) fn bits_mut(integers: &mut [i32]) -> &mut [f32] {
    // SAFETY: as in `bits`; the borrow is exclusive.
    unsafe { std::slice::from_raw_parts_mut(integers.as_mut_ptr().cast(), integers.len()) }
}

/// What a kernel reads, and where it writes as many values.
#[derive(Debug)]
pub enum Buffers<'a> {
    /// The result has memory of its own.
    Apart {
        /// What is read.
        from: &'a [f32],
        /// What is written, all of it.
        to: &'a mut [f32],
    },
    /// The result replaces what is read, which saves the caches some.
    InPlace(&'a mut [f32]),
}

impl<'a> Buffers<'a> {
    pub(crate) fn split(self) -> (Input<'a>, Output<'a>) {
        match self {
            Self::Apart { from, to } => (Input::new(from), Output::new(to)),
            Self::InPlace(values) => {
                let values = Output::new(values);
                (values.into(), values)
            }
        }
    }
}

/// Values that a kernel will write, all of them, before anybody reads them.
///
/// # Safety
/// `fill` writes every value of the slice.
#[cfg(feature = "flex")]
pub(crate) unsafe fn filled(len: usize, fill: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut values = Vec::<f32>::with_capacity(len);
    advise_huge_pages(values.as_ptr().cast(), len * size_of::<f32>());
    // SAFETY: the memory is there, and `fill` writes it before it is read; `f32` has no invalid
    // values and nothing to drop.
    unsafe {
        fill(std::slice::from_raw_parts_mut(values.as_mut_ptr(), len));
        values.set_len(len);
    }
    values
}

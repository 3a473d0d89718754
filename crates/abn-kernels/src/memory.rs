//! What is asked of the system's memory. None of it changes a value.

use std::alloc::{GlobalAlloc, Layout, System};

/// Asks the system for pages of two megabytes, of which large features need few: with those of four
/// kilobytes, first touching fresh memory takes as long as a convolution that writes it.
pub(crate) fn advise_huge_pages(start: *const u8, bytes: usize) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 2 << 20;
        let skipped = start.align_offset(PAGE);
        let whole = bytes.saturating_sub(skipped) / PAGE * PAGE;
        if whole > 0 {
            let start = start.wrapping_add(skipped).cast_mut().cast();
            // SAFETY: whole pages of an allocation that is there. Where the system does not take
            // the advice, pages stay small.
            unsafe { libc::madvise(start, whole, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes);
}

/// Has the allocator of the GNU C library keep memory that is freed, for the whole process: the
/// next batch needs as much again, and fresh pages cost a tenth of the time. For programs, at their
/// start; elsewhere nothing happens.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: both are parameters of the allocator, which it checks.
    unsafe {
        // Large pieces would be mapped and unmapped one by one.
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
    }
}

/// Gives the pages of what is free back to the system, though [`keep_freed_memory`] has them kept.
#[cfg(feature = "flex")]
pub(crate) fn give_freed_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the allocator looks through its own free pieces.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The allocator of a program whose largest pieces come and go with every batch, such as the gradient
/// of a linear layer that reads all features: the system's, but for pieces of 256 MiB or more. Those
/// are mapped by themselves, so that no smaller one falls into what such a piece leaves and the next
/// one needs memory anew. What is freed of them serves the next of about the same size, and is given
/// back when one of another size comes.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: abn_kernels::Allocator = abn_kernels::Allocator;
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Allocator;

/// Bytes from which on a piece is mapped by itself.
const LARGE: usize = 256 << 20;

// SAFETY: pieces are the system's or maps of their own, told apart by the layout, which is the same
// when a piece is freed.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            return large::allocate(layout.size()).0;
        }
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            let (piece, is_fresh) = large::allocate(layout.size());
            if !is_fresh {
                // SAFETY: the piece is as long.
                unsafe { piece.write_bytes(0, layout.size()) };
            }
            return piece;
        }
        // SAFETY: passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: passed on; the layout tells whose it is.
        unsafe {
            match is_large(layout) {
                true => large::free(piece, layout.size()),
                false => System.dealloc(piece, layout),
            }
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's size fits the alignment.
        let after = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: passed on; else as the trait has it, the piece is copied and freed.
        unsafe {
            match [layout, after].map(is_large) {
                [false, false] => return System.realloc(piece, layout, size),
                [true, true] if large::fits(layout.size(), size) => return piece,
                _ => {}
            }
            let moved = self.alloc(after);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(piece, layout.size().min(size));
                self.dealloc(piece, layout);
            }
            moved
        }
    }
}

/// Whether a piece is mapped by itself: maps begin with a page.
fn is_large(layout: Layout) -> bool {
    cfg!(target_os = "linux") && layout.size() >= LARGE && layout.align() <= 4096
}

/// Maps of memory, and those that are kept for the next piece.
#[cfg(target_os = "linux")]
mod large {
    use std::ptr::null_mut;
    use std::sync::{Mutex, PoisonError};

    /// A map that nobody uses.
    struct Map {
        start: *mut u8,
        bytes: usize,
    }

    // SAFETY: memory belongs to no thread.
    unsafe impl Send for Map {}

    /// Maps that are kept at most.
    const MOST: usize = 4;
    static KEPT: Mutex<[Option<Map>; MOST]> = Mutex::new([const { None }; MOST]);

    /// A piece of so many bytes, and whether it is fresh, which is all zero; null where the system
    /// has none.
    pub(super) fn allocate(bytes: usize) -> (*mut u8, bool) {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        for map in kept.iter_mut() {
            if let Some(Map { start, .. }) = map.take_if(|map| map.bytes == whole(bytes)) {
                return (start, false);
            }
        }
        // What does not serve would be needed beside the new one.
        for Map { start, bytes } in kept.iter_mut().filter_map(Option::take) {
            unmap(start, bytes);
        }
        (map(whole(bytes)), true)
    }

    /// Keeps a piece, or gives it back.
    ///
    /// # Safety
    /// A piece of [`allocate`] of so many bytes, which nobody uses.
    pub(super) unsafe fn free(start: *mut u8, bytes: usize) {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = whole(bytes);
        match kept.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(Map { start, bytes }),
            None => unmap(start, bytes),
        }
    }

    /// Whether a piece of so many bytes can become one of so many others where it lies.
    pub(super) fn fits(bytes: usize, others: usize) -> bool {
        whole(bytes) == whole(others)
    }

    /// Whole steps of 16 MiB: what is a little larger or smaller has the same map.
    fn whole(bytes: usize) -> usize {
        bytes.next_multiple_of(16 << 20)
    }

    fn map(bytes: usize) -> *mut u8 {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: fresh memory anywhere.
        let start = unsafe { libc::mmap(null_mut(), bytes, access, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return null_mut();
        }
        super::advise_huge_pages(start.cast(), bytes);
        start.cast()
    }

    fn unmap(start: *mut u8, bytes: usize) {
        // SAFETY: a map that nobody uses.
        unsafe { libc::munmap(start.cast(), bytes) };
    }
}

/// Elsewhere there are none.
#[cfg(not(target_os = "linux"))]
mod large {
    pub(super) fn allocate(_: usize) -> (*mut u8, bool) {
        unreachable!("no piece is large")
    }

    pub(super) unsafe fn free(_: *mut u8, _: usize) {
        unreachable!("no piece is large")
    }

    pub(super) fn fits(_: usize, _: usize) -> bool {
        unreachable!("no piece is large")
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 64).expect("a layout")
    }

    #[test]
    fn large_pieces_come_back_and_others_do_not_fall_into_them() {
        let (size, small) = (LARGE + (8 << 20), layout(1 << 20));
        // SAFETY: pieces are written within their sizes and freed once, as they were asked for.
        unsafe {
            let first = Allocator.alloc(layout(size));
            first.add(size - 1).write(7);
            Allocator.dealloc(first, layout(size));
            let other = Allocator.alloc(small);
            assert!(!(first..first.add(size)).contains(&other));
            Allocator.dealloc(other, small);
            // A little smaller: the same memory, cleared where that is asked for.
            let again = Allocator.alloc_zeroed(layout(size - 5));
            assert_eq!(again, first);
            let again = Allocator.realloc(again, layout(size - 5), size);
            assert_eq!(again, first);
            Allocator.dealloc(again, layout(size));
            let zeroed = Allocator.alloc_zeroed(layout(size));
            assert_eq!(zeroed.add(size - 1).read(), 0);
            // Between both kinds values stay.
            zeroed.write(3);
            let shrunk = Allocator.realloc(zeroed, layout(size), 1 << 20);
            assert_eq!(shrunk.read(), 3);
            let grown = Allocator.realloc(shrunk, small, 2 * size);
            assert_eq!(grown.read(), 3);
            Allocator.dealloc(grown, layout(2 * size));
        }
    }
}

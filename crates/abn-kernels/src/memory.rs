//! What is asked of the system's memory. None of it changes a value.

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

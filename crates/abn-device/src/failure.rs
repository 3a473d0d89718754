//! Burn ends the program where a device fails. Here that becomes an error with its cause.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a device other than the CPU was opened.
static OPENED: AtomicBool = AtomicBool::new(false);
/// What failed first: what fails after it is its consequence.
static CAUSE: Mutex<Option<String>> = Mutex::new(None);

/// A device that failed while it computed.
#[derive(Debug, thiserror::Error)]
#[error("the device failed: {0}")]
pub struct DeviceFailed(String);

impl DeviceFailed {
    /// Whether it lacked memory.
    pub fn lacks_memory(&self) -> bool {
        let cause = self.0.to_lowercase();
        let words = [
            "out of memory",
            "outofmemory",
            "out_of_memory",
            "buffer size",
            "allocat",
        ];
        words.iter().any(|word| cause.contains(word))
    }
}

/// From now on a device other than the CPU computes: its failures are kept instead of printed.
pub(crate) fn opened() {
    if OPENED.swap(true, Ordering::SeqCst) {
        return;
    }
    panic::set_hook(Box::new(|told| {
        let payload = told.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        if let Ok(mut cause) = CAUSE.lock() {
            cause.get_or_insert_with(|| text.unwrap_or("no cause was given").to_owned());
        }
    }));
}

/// Does that, and makes an error of a device that fails meanwhile.
///
/// # Errors
/// Those of the work, and [`DeviceFailed`].
pub fn caught<R, E: From<DeviceFailed>>(work: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done,
        Err(payload) if !OPENED.load(Ordering::SeqCst) => panic::resume_unwind(payload),
        Err(_) => {
            let cause = CAUSE.lock().ok().and_then(|mut cause| cause.take());
            Err(DeviceFailed(cause.unwrap_or_default()).into())
        }
    }
}

/// What the work gives; `None`, without a message, if it panics.
#[cfg(feature = "tuned")]
pub(crate) fn without_panic<R>(work: impl FnOnce() -> R) -> Option<R> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    panic::set_hook(hook);
    done.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_from_other_failures() {
        let lacks = |text: &str| DeviceFailed(text.to_owned()).lacks_memory();
        assert!(lacks("CUDA_ERROR_OUT_OF_MEMORY") && lacks("wgpu error: Out of Memory"));
        assert!(!lacks("device lost"));
    }

    #[test]
    fn what_fails_on_the_cpu_is_no_failure_of_a_device() {
        let panicked =
            panic::catch_unwind(|| caught(|| -> Result<(), DeviceFailed> { panic!("a defect") }));
        assert!(panicked.is_err());
        assert!(caught(|| Ok::<_, DeviceFailed>(1)).is_ok_and(|found| found == 1));
    }
}

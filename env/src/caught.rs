//! Panics of libraries, as errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs work of a library that may panic on bytes that none of its writers made. The panic hook runs first, so its
/// message may appear on standard error. What `work` was changing is in no known state afterwards.
///
/// # Errors
/// What the panic said.
pub fn caught<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_text(panic.as_ref()).to_owned())
}

/// What a panic said.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason was given")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]

    use super::caught;

    #[test]
    fn the_text_of_a_panic_becomes_the_error() {
        assert_eq!(caught(|| 7), Ok(7));
        assert_eq!(caught(|| panic!("page {} is torn", 3)), Err::<(), _>("page 3 is torn".to_owned()));
        assert_eq!(caught(|| panic!("torn")), Err::<(), _>("torn".to_owned()));
        assert_eq!(caught(|| std::panic::panic_any(3)), Err::<(), _>("no reason was given".to_owned()));
    }
}

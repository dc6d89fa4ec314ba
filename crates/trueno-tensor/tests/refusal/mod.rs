//! How tests ask what an operation refuses, and in which words.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The message of the panic.
#[track_caller]
pub fn panic_of<V>(work: impl FnOnce() -> V) -> String {
    let payload = catch_unwind(AssertUnwindSafe(|| drop(work()))).expect_err("a panic");
    *payload.downcast::<String>().expect("a message")
}

/// A method and its `try_` twin refuse in the same words, which hold the given parts.
macro_rules! assert_refused {
    ($x:ident.$name:ident, $twin:ident ($($arg:expr),*), $($part:literal),+) => {{
        let refusal = $x.$twin($($arg),*).map(drop).expect_err("a refusal").to_string();
        assert_eq!($crate::refusal::panic_of(|| $x.$name($($arg),*)), refusal);
        $(assert!(refusal.contains($part), "{refusal}");)+
    }};
}

//! Choices that a program may turn off: for the process by an environment variable, for a scope by a function.

use std::cell::Cell;
use std::sync::OnceLock;
use std::thread::LocalKey;

/// A choice that is on unless its variable is `0` or a scope on this thread says otherwise.
pub(crate) struct Switch {
    variable: &'static str,
    default: OnceLock<bool>,
    scoped: &'static LocalKey<Cell<Option<bool>>>,
}

impl Switch {
    pub const fn new(variable: &'static str, scoped: &'static LocalKey<Cell<Option<bool>>>) -> Switch {
        Switch { variable, default: OnceLock::new(), scoped }
    }

    pub fn is_on(&self) -> bool {
        let default = || *self.default.get_or_init(|| std::env::var(self.variable).map_or(true, |value| value != "0"));
        self.scoped.get().unwrap_or_else(default)
    }

    /// Runs `work` with the choice as given, on this thread.
    pub fn with<R>(&self, on: bool, work: impl FnOnce() -> R) -> R {
        struct Restore(&'static LocalKey<Cell<Option<bool>>>, Option<bool>);
        impl Drop for Restore {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let _restore = Restore(self.scoped, self.scoped.replace(Some(on)));
        work()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_ends_after_a_panic_too() {
        thread_local!(static SCOPED: Cell<Option<bool>> = const { Cell::new(None) });
        static SWITCH: Switch = Switch::new("TRUENO_NO_SUCH_SWITCH", &SCOPED);
        assert!(SWITCH.is_on());
        SWITCH.with(false, || {
            assert!(!SWITCH.is_on());
            SWITCH.with(true, || assert!(SWITCH.is_on()));
            assert!(!SWITCH.is_on());
        });
        assert!(std::panic::catch_unwind(|| SWITCH.with(false, || panic!("no"))).is_err());
        assert!(SWITCH.is_on());
    }
}

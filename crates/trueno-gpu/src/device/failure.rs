//! Errors that the driver reports when it pleases, kept until someone asks.

use std::sync::{Arc, Mutex, PoisonError};

use trueno_core::{Error, Result};

/// What has gone wrong on a device and was not yet told to a caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The first error since someone last asked.
    pending: Option<String>,
    /// Why the device is gone, for good.
    lost: Option<String>,
}

impl Failure {
    /// Listens to a device.
    pub fn watch(device: &wgpu::Device) -> Self {
        let failure = Self::default();
        let errors = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| errors.report(error.to_string())));
        let losses = failure.clone();
        device.set_device_lost_callback(move |reason, message| losses.lose(format!("{reason:?}: {message}")));
        failure
    }

    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps an error until someone asks.
    pub fn report(&self, message: String) {
        self.with(|state| _ = state.pending.get_or_insert(message));
    }

    pub(super) fn lose(&self, message: String) {
        self.with(|state| _ = state.lost.get_or_insert(message));
    }

    /// The error that waits to be told, if any; it is told once. A lost device stays lost.
    pub fn check(&self, op: &'static str, device: &str) -> Result<()> {
        let error = |reason| Err(Error::Device { op, device: device.into(), reason });
        self.with(|state| match (&state.lost, state.pending.take()) {
            (Some(lost), _) => error(format!("the device is lost ({lost}); open it again and upload what it held")),
            (None, Some(message)) => error(message),
            (None, None) => Ok(()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_once_and_a_loss_always() {
        let failure = Failure::default();
        failure.report("first".into());
        failure.report("second".into());
        assert!(failure.check("add", "gpu").unwrap_err().to_string().contains("first"));
        assert!(failure.check("add", "gpu").is_ok());
        failure.lose("gone".into());
        assert!(failure.check("add", "gpu").is_err());
        assert!(failure.check("add", "gpu").unwrap_err().to_string().contains("gone"));
    }
}

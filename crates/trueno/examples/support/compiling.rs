//! Why the first steps on a GPU take so long: its driver compiles their kernels.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;
use trueno::data::Status;
use trueno::prelude::*;

/// Shows how many kernels are still being compiled, until it is dropped.
pub struct Compiling {
    _running: Option<Sender<()>>,
}

impl Compiling {
    pub fn show(device: &Device, status: Status) -> Self {
        let Device::Gpu(gpu) = device else { return Compiling { _running: None } };
        let ((running, ended), gpu) = (channel(), gpu.clone());
        thread::spawn(move || {
            while ended.recv_timeout(Duration::from_millis(500)) == Err(RecvTimeoutError::Timeout) {
                match gpu.stats().compiling {
                    0 => {}
                    kernels => status.message(format!("compiling kernels: {kernels} to go")),
                }
            }
        });
        Compiling { _running: Some(running) }
    }
}

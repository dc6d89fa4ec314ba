//! Forms that wait, for targets where a thread may. The only place of the crate that blocks.

use trueno_core::Result;

use super::{Device, DeviceInfo, Options, Selector};

impl Device {
    /// [`Device::list_async`], waited for.
    pub fn list() -> Vec<DeviceInfo> {
        pollster::block_on(Self::list_async())
    }

    /// [`Device::open_async`], waited for.
    ///
    /// # Errors
    /// As there.
    pub fn open(selector: &Selector, options: &Options) -> Result<Device> {
        pollster::block_on(Self::open_async(selector, options))
    }

    /// Submits recorded work and waits until the device has done it.
    ///
    /// # Errors
    /// [`Error::Device`](trueno_core::Error::Device) for what the driver found wrong.
    pub fn synchronize(&self) -> Result<()> {
        self.submit()?;
        self.wait("synchronize")
    }

    /// What an asynchronous form gives.
    pub(crate) fn wait_for<T>(form: impl Future<Output = T>) -> T {
        pollster::block_on(form)
    }

    /// Waits for everything submitted so far.
    pub(crate) fn wait(&self, op: &'static str) -> Result<()> {
        let waited = self.shared.raw.poll(wgpu::PollType::wait_indefinitely());
        if let Some(cache) = &self.shared.cache {
            cache.save_in_turn(self.shared.counters.pipelines());
        }
        self.check(op)?;
        waited.map(|_| ()).or_else(|error| self.refuse(op, error.to_string()))
    }
}

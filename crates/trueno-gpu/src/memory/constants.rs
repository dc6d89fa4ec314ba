//! Scalars that operations mix with values of a device: each is made there once and used again.

use std::collections::HashMap;

use trueno_core::{DType, Result};

use super::{Buffer, Raw};
use crate::device::{Device, lock};
use crate::elementwise;

/// Constants that are kept. A program in steady state needs some dozens; one whose scalars never repeat must not grow.
const MOST: usize = 1024;

/// What was made so far, by type and bits of the value.
pub(crate) type Constants = HashMap<(DType, u64), Raw>;

impl Buffer {
    /// Whether this is a constant of its device, whose memory is not this handle's alone and is never written.
    pub fn is_constant(&self) -> bool {
        self.constant
    }

    /// One element of a value, which operands broadcast. Asked for again it is the same memory, and nothing is recorded.
    ///
    /// # Errors
    /// As [`elementwise::fill`].
    pub fn constant(device: &Device, op: &'static str, dtype: DType, value: f64) -> Result<Self> {
        let key = (dtype, value.to_bits());
        let known = lock(&device.shared.constants).get(&key).cloned();
        let raw = match known {
            Some(raw) => raw,
            None => {
                let mut made = elementwise::fill(device, dtype, 1, value).map_err(|error| error.named(op))?;
                let raw = made.raw().clone();
                // From here on the memory is the table's, and never the pool's: handles to it may outlive the table's entry.
                made.constant = true;
                let mut constants = lock(&device.shared.constants);
                let full = constants.len() >= MOST;
                let dropped = if full { std::mem::take(&mut *constants) } else { Constants::new() };
                // Another thread may have made the same one meanwhile.
                let replaced = constants.insert(key, raw.clone());
                drop(constants);
                dropped.into_values().chain(replaced).for_each(|raw| device.pool().disown(&raw));
                raw
            }
        };
        Ok(Self { device: device.clone(), raw: Some(raw), dtype, len: 1, constant: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_constant_is_made_once() {
        let Some(device) = testing::own() else { return };
        let read = |value: f64| {
            let buffer = Buffer::constant(&device, "test", DType::F32, value).unwrap();
            buffer.download::<f32>("test").wait().unwrap()
        };
        assert_eq!(read(0.372_519), [0.372_519_f32]);
        let before = device.stats();
        assert_eq!(read(0.372_519), [0.372_519_f32]);
        assert_eq!(device.stats().dispatches, before.dispatches);
        let constant = Buffer::constant(&device, "test", DType::F32, 1.0).unwrap();
        assert!(constant.is_constant());
        let zeros = [0.0, -0.0].map(|zero| read(zero)[0].is_sign_negative());
        assert_eq!(zeros, [false, true]);
    }
}

//! How fast tiles are on a device, which products are planned by: as it was measured once on one card, or on this device.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trueno_core::DType;

use crate::device::{Device, content, lock};
use crate::tile::{self, Speed};
use crate::units;

#[cfg(not(target_arch = "wasm32"))]
mod measure;

/// What products are planned by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rates {
    pub tiles: [Speed; tile::COUNT],
    pub units: [units::Rates; units::COUNT],
}

impl Default for Rates {
    fn default() -> Self {
        Self { tiles: tile::SPEEDS, units: units::RATES }
    }
}

impl Rates {
    /// What an earlier run left in a file; nothing if it is damaged or was made for other tiles.
    fn read(file: &Path) -> Option<Self> {
        let bytes = fs::read(file).ok()?;
        let (layout, numbers) = content(&bytes)?.split_first_chunk::<8>()?;
        let whole = numbers.len() == 8 * 3 * (tile::COUNT + units::COUNT) && *layout == Self::layout();
        let numbers: Vec<f64> =
            numbers.chunks_exact(8).filter_map(|n| Some(f64::from_le_bytes(n.try_into().ok()?))).collect();
        if !whole || !numbers.iter().all(|number| number.is_finite() && *number > 0.0) {
            return None;
        }
        let mut rates = Self::default();
        let (tiles, of_units) = numbers.split_at(3 * tile::COUNT);
        for (speed, numbers) in rates.tiles.iter_mut().zip(tiles.chunks_exact(3)) {
            *speed = Speed { full: numbers[0], alone: numbers[1], together: numbers[2] };
        }
        for (rate, numbers) in rates.units.iter_mut().zip(of_units.chunks_exact(3)) {
            rate.copy_from_slice(numbers);
        }
        Some(rates)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn bytes(&self) -> Vec<u8> {
        let tiles = self.tiles.iter().flat_map(|speed| [speed.full, speed.alone, speed.together]);
        let numbers = tiles.chain(self.units.iter().flatten().copied());
        Self::layout().into_iter().chain(numbers.flat_map(f64::to_le_bytes)).collect()
    }

    /// Differs where the tiles do.
    fn layout() -> [u8; 8] {
        let sizes = tile::TILES.iter().map(tile::Tile::size).chain(units::TILES.iter().map(units::Tile::size));
        sizes.flatten().fold(0_u64, |sum, size| sum.wrapping_mul(31).wrapping_add(size as u64)).to_le_bytes()
    }
}

/// The rates of an open device, and where they are kept.
#[derive(Debug, Default)]
pub(crate) struct Tuning {
    rates: Arc<Rates>,
    #[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "browsers have no files"))]
    file: Option<PathBuf>,
}

impl Tuning {
    /// With what an earlier run left in `directory` for this adapter.
    pub fn open(info: &wgpu::AdapterInfo, directory: Option<&Path>) -> Self {
        let name = format!("tiles-{:?}-{:x}-{:x}", info.backend, info.vendor, info.device);
        let file = directory.map(|directory| directory.join(name));
        let rates = file.as_deref().and_then(Rates::read).unwrap_or_default();
        Self { rates: Arc::new(rates), file }
    }
}

/// What [`Device::tune`] has measured of one tile of matrix products.
#[derive(Clone, Debug, PartialEq)]
pub struct TileRate {
    /// Of the operands; `float16` goes by matrix units.
    pub dtype: DType,
    /// Rows and columns of the tile.
    pub size: [usize; 2],
    /// Operations per second, in units of 10^12, where the device is full.
    pub tflops: f64,
}

impl Device {
    /// What products are planned by.
    pub(crate) fn rates(&self) -> Arc<Rates> {
        Arc::clone(&lock(&self.shared.tuning).rates)
    }

    /// Calls `check` while every product on matrix units is planned by the first of their tiles that can make it, by the second, and so
    /// on; once on a device without them.
    #[cfg(test)]
    pub(crate) fn by_each_tile(&self, mut check: impl FnMut()) {
        let tiles = if self.capabilities().cooperative_f16 { units::COUNT } else { 1 };
        for tile in 0..tiles {
            let mut rates = Rates::default();
            rates.units[tile] = [f64::MAX; 3];
            lock(&self.shared.tuning).rates = Arc::new(rates);
            check();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Selector, testing};

    #[test]
    fn what_was_measured_is_kept_for_the_next_run() {
        let directory = std::env::temp_dir().join(format!("trueno-tiles-{}", std::process::id()));
        let options = Options { cache: Some(directory.clone()), ..Options::default() };
        if testing::device().is_none() {
            return;
        }
        let selector = Selector::from_env().unwrap();
        let device = Device::open(&selector, &options).unwrap();
        assert_eq!(*device.rates(), Rates::default());
        let measured = device.tune().unwrap();
        assert!(measured.len() >= tile::COUNT && measured.iter().all(|tile| tile.tflops > 0.0), "{measured:?}");
        let rates = device.rates();
        assert_ne!(*rates, Rates::default());
        let again = Device::open(&selector, &options).unwrap();
        assert_eq!(again.rates(), rates);
        let file = lock(&again.shared.tuning).file.clone().unwrap();
        let mut damaged = fs::read(&file).unwrap();
        damaged[40] ^= 1;
        fs::write(&file, damaged).unwrap();
        assert_eq!(Rates::read(&file), None);
        fs::remove_dir_all(directory).unwrap();
    }
}

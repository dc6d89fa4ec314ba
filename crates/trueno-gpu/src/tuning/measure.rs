//! The measuring of a device's tiles.

use std::sync::Arc;
use std::time::Instant;

use trueno_core::{DType, Result};

use super::{Rates, TileRate};
use crate::device::{Device, lock, replace};
use crate::elementwise::{cast, fill};
use crate::matmul::{matmul_by, matmul_by_units};
use crate::memory::{Buffer, View};
use crate::tile::{self, Speed};
use crate::units;

/// Least seconds of one measurement, and how many there are; the best counts.
const SECONDS: f64 = 0.01;
const ROUNDS: usize = 3;

/// Seconds that the largest product of a measurement may take.
const LONGEST: f64 = 0.01;

impl Device {
    /// Measures this device's tiles, and plans products and convolutions by that from now on.
    ///
    /// Without it they are planned by what was measured on one large card, which holds well for others of its kind. The figures are
    /// kept in the cache directory (see [`Options::cache`](crate::Options::cache)), and every later run that opens the device has
    /// them. A few seconds; nothing else should run on the device meanwhile. Sums may be cut otherwise afterwards, so that results
    /// can differ in their last bits from those before.
    ///
    /// # Errors
    /// [`Error::Device`](trueno_core::Error::Device) and [`Error::OutOfMemory`](trueno_core::Error::OutOfMemory); the plans then stay
    /// as they were. A directory that cannot be written is no error.
    pub fn tune(&self) -> Result<Vec<TileRate>> {
        let mut rates = Rates::default();
        let mut measured = Vec::new();
        let units = tile::units(self.info().kind);
        for (tile, speed) in tile::TILES.into_iter().zip(&mut rates.tiles) {
            let rate = |rounds: f64, length| {
                let size = Product::of(tile.size(), rounds * units, length);
                size.rate(self, DType::F32, |a, b| matmul_by(a, b, tile))
            };
            let length = longest(|length| rate(8.0, length))?;
            let [full, alone, twice] = [rate(8.0, length)?.0, rate(1.0, length)?.0, rate(2.0, length)?.0];
            // Twice the work in less than half as much again: they went together.
            let together = if twice > 1.33 * alone { 2.0 } else { 1.0 };
            *speed = Speed { full, alone, together };
            measured.push(TileRate { dtype: DType::F32, size: tile.size(), tflops: full });
        }
        for (tile, rates) in units::TILES.into_iter().zip(&mut rates.units) {
            if !tile.fits(self, [true, false]) {
                continue;
            }
            let rate = |length| {
                let size = Product::of(tile.size(), 4.0 * units::UNITS, length);
                size.rate(self, DType::F16, |a, b| matmul_by_units(a, b, tile))
            };
            let rate = rate(longest(rate)?)?.0;
            // Convolutions are to products as they were where both were measured.
            let [known, ..] = *rates;
            rates.iter_mut().for_each(|other| *other *= rate / known);
            measured.push(TileRate { dtype: DType::F16, size: tile.size(), tflops: rate });
        }
        let mut tuning = lock(&self.shared.tuning);
        if let Some(file) = &tuning.file {
            // A full disk or a directory that cannot be written costs the next run its plans, and nothing else.
            _ = replace(file, &rates.bytes());
        }
        tuning.rates = Arc::new(rates);
        Ok(measured)
    }
}

/// The longest sums, up to 2048, of which a product does not take too long.
fn longest(rate: impl Fn(usize) -> Result<(f64, f64)>) -> Result<usize> {
    let mut length = 64;
    while length < 2048 && rate(length)?.1 < LONGEST / 2.0 {
        length *= 2;
    }
    Ok(length)
}

/// Rows, columns and the length of sums of a product that is measured.
struct Product([usize; 3]);

impl Product {
    /// Of so many tiles.
    fn of([tile_m, tile_n]: [usize; 2], tiles: f64, length: usize) -> Self {
        let down = (tiles.sqrt() as usize).max(1);
        let across = (tiles as usize).div_ceil(down);
        Self([down * tile_m, across * tile_n, length])
    }

    /// Operations in a picosecond, and the seconds of one call.
    fn rate(
        &self,
        device: &Device,
        dtype: DType,
        work: impl Fn(&View<'_>, &View<'_>) -> Result<Buffer>,
    ) -> Result<(f64, f64)> {
        let [m, n, k] = self.0;
        let operand = |rows: usize, columns: usize| -> Result<Buffer> {
            let ones = fill(device, DType::F32, rows * columns, 1.0)?;
            cast(&View::contiguous("tune", &ones, &[rows * columns])?, dtype)
        };
        let (a, b) = (operand(m, k)?, operand(k, n)?);
        let (a, b) = (View::contiguous("tune", &a, &[m, k])?, View::contiguous("tune", &b, &[k, n])?);
        let seconds = seconds(device, || work(&a, &b).map(drop))?;
        Ok(((2 * m * n * k) as f64 / seconds / 1e12, seconds))
    }
}

/// Seconds of one call.
fn seconds(device: &Device, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut timed = |calls: usize| -> Result<f64> {
        let start = Instant::now();
        (0..calls).try_for_each(|_| work())?;
        device.synchronize()?;
        Ok(start.elapsed().as_secs_f64())
    };
    timed(1)?;
    let mut calls = 1;
    while timed(calls)? < SECONDS {
        calls *= 2;
    }
    let rounds = (0..ROUNDS).map(|_| timed(calls)).collect::<Result<Vec<_>>>()?;
    Ok(rounds.into_iter().fold(f64::INFINITY, f64::min) / calls as f64)
}

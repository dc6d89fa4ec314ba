//! Measures a device's tiles and keeps what products are planned by: see `Device::tune`.
//!
//! `cargo run --release -p trueno-gpu --example tune`; `TRUENO_DEVICE` names the device, `TRUENO_CACHE` the directory.

use trueno_core::Result;
use trueno_gpu::{Device, Options, Selector};

fn main() -> Result<()> {
    let device = Device::open(&Selector::from_env()?, &Options::default())?;
    println!("# {}", device.info());
    for tile in device.tune()? {
        let [rows, columns] = tile.size;
        println!("{} {rows} x {columns}\t{:.3}\tTFLOP/s", tile.dtype, tile.tflops);
    }
    Ok(())
}

//! candle's side of the timings: answers the name of a row with the microseconds that one call takes.
//!
//! Rows and shapes are those of `../src/rows`; candle's products are those of the `gemm` crate. The number of threads
//! comes in THREADS.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Result, Tensor};

/// One answer covers at least this much time.
const SAMPLE: Duration = Duration::from_millis(50);

type Work = Box<dyn FnMut() -> Result<Tensor>>;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::var("THREADS")?.parse()?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let mut current: Option<(String, Work)> = None;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let name = line.trim();
        // A row is prepared when it is first asked for, and dropped when the next one is.
        if current.as_ref().is_none_or(|(prepared, _)| prepared != name) {
            current = prepare(name)?.map(|work| (name.to_string(), work));
        }
        match &mut current {
            Some((_, work)) => println!("{:.3}", sample(work)?),
            None => println!("absent"),
        }
        io::stdout().flush()?;
    }
    Ok(())
}

/// Prepares the row called `name`; `None` if candle does not have it.
fn prepare(name: &str) -> Result<Option<Work>> {
    Ok(Some(match name {
        "matmul 64" => product(&[64, 64], &[64, 64], DType::F32)?,
        "matmul 256" => product(&[256, 256], &[256, 256], DType::F32)?,
        "matmul 1024" => product(&[1024, 1024], &[1024, 1024], DType::F32)?,
        "matmul 2048" => product(&[2048, 2048], &[2048, 2048], DType::F32)?,
        "matmul 1024 in float64" => product(&[1024, 1024], &[1024, 1024], DType::F64)?,
        "matmul 1024 by its transpose" => {
            let a = operand(&[1024, 1024], DType::F32)?;
            let transpose = a.t()?;
            Box::new(move || a.matmul(&transpose))
        }
        "matmul 64x1024 by 1024x512" => product(&[64, 1024], &[1024, 512], DType::F32)?,
        "matmul 32 of 128x64 by 64x128" => product(&[32, 128, 64], &[32, 64, 128], DType::F32)?,
        "matmul 2000 by a vector" => product(&[2000, 2000], &[2000, 1], DType::F32)?,
        "linear 64x1024 to 512" => {
            let [x, w, b] = [&[64, 1024][..], &[512, 1024], &[512]].map(|shape| operand(shape, DType::F32));
            let (x, w, b) = (x?, w?.t()?, b?);
            Box::new(move || x.matmul(&w)?.broadcast_add(&b))
        }
        _ => return Ok(None),
    }))
}

fn product(a: &[usize], b: &[usize], dtype: DType) -> Result<Work> {
    let (a, b) = (operand(a, dtype)?, operand(b, dtype)?);
    Ok(Box::new(move || a.matmul(&b)))
}

fn operand(shape: &[usize], dtype: DType) -> Result<Tensor> {
    Tensor::rand(-2.0_f32, 2.0, shape, &Device::Cpu)?.to_dtype(dtype)
}

/// Mean microseconds per call.
fn sample(work: &mut Work) -> Result<f64> {
    let start = Instant::now();
    let mut calls = 0_u32;
    while start.elapsed() < SAMPLE {
        black_box(work()?);
        calls += 1;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
}

//! How much memory a row takes at most, in a process of its own per side.

use anyhow::Result;

use super::record::Peak;
use super::sides::{Row, Sides};

/// What rows that are weighed have in their names: a training step holds what its backward pass needs.
const WEIGHED: &str = "training step";

/// Weighs the rows on one thread; none where the system does not tell.
pub fn measure(sides: &Sides, rows: &[Row]) -> Result<Vec<Peak>> {
    let mut peaks = Vec::new();
    for row in rows.iter().filter(|row| row.name.contains(WEIGHED)) {
        let mut mebibytes = Vec::new();
        for mut side in sides.start(1)? {
            // A process answers only when all it needs is loaded, so that what is there by then does not count.
            side.ask("nothing of this name")?;
            let Some(before) = side.resident()? else { continue };
            if side.ask(&row.name)?.is_some() {
                let peak = side.resident_peak()?.unwrap_or(before);
                mebibytes.push((side.name.to_string(), (peak - before) / 1024.0));
            }
        }
        let peak = Peak { row: row.name.clone(), mebibytes };
        println!("{}", peak.describe());
        peaks.push(peak);
    }
    Ok(peaks)
}

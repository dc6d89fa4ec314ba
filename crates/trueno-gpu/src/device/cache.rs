//! Compiled pipelines on disk, so that the next run of a program need not compile them again.
//!
//! A file per adapter lies in the user's cache directory. It is replaced whole or not at all, and one that is damaged, or from
//! another driver, is as good as none.
#![cfg_attr(target_arch = "wasm32", allow(dead_code, reason = "browsers have neither files nor the feature"))]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::lock;

/// The environment variable that names the directory, or turns the cache off.
pub(super) const VARIABLE: &str = "TRUENO_CACHE";

/// Begins a file. The digit changes with the format.
const MAGIC: &[u8; 8] = b"trueno1\n";

/// Files are not written again sooner than this after the last time, so that a program that goes on making shaders does not go on
/// writing them.
const PAUSE: Duration = Duration::from_secs(2);

/// The directory that the environment asks for: what `TRUENO_CACHE` names, nothing where that is `0`, and else `trueno` in the
/// user's cache directory, if there is one.
pub(super) fn directory() -> Option<PathBuf> {
    match std::env::var_os(VARIABLE) {
        Some(value) if value == "0" => None,
        Some(value) if !value.is_empty() => Some(value.into()),
        _ => user_directory().map(|directory| directory.join("trueno")),
    }
}

/// Where programs of this user keep what they can make again.
fn user_directory() -> Option<PathBuf> {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(target_os = "windows") {
        path("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        path("HOME").map(|home| home.join("Library/Caches"))
    } else {
        path("XDG_CACHE_HOME").or_else(|| path("HOME").map(|home| home.join(".cache")))
    }
}

/// The pipelines of a device that its driver can give as bytes.
#[derive(Debug)]
pub(crate) struct PipelineCache {
    raw: wgpu::PipelineCache,
    file: PathBuf,
    saved: Mutex<Saved>,
}

/// What the file holds.
#[derive(Debug)]
struct Saved {
    pipelines: u64,
    at: Instant,
}

impl PipelineCache {
    /// The cache of an adapter, begun with what an earlier run left in `directory`. The feature must be enabled.
    pub fn open(device: &wgpu::Device, info: &wgpu::AdapterInfo, directory: &Path) -> Option<Self> {
        let file = directory.join(wgpu::util::pipeline_cache_key(info)?);
        let bytes = fs::read(&file).ok();
        let data = bytes.as_deref().and_then(content);
        let descriptor = wgpu::PipelineCacheDescriptor { label: None, data, fallback: true };
        // SAFETY: the bytes must come from `get_data`. Only `save` writes such a file, and `content` gives nothing whose
        // checksum is not that of what `save` wrote, so that a torn or damaged file is not used; wgpu compares the adapter
        // and the driver with those in the data. Whoever can forge the checksum in a directory of the user's own can
        // replace the program as well.
        let raw = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(Self { raw, file, saved: Mutex::new(Saved { pipelines: 0, at: Instant::now() }) })
    }

    /// What pipelines are created with.
    pub fn raw(&self) -> &wgpu::PipelineCache {
        &self.raw
    }

    /// Writes the file if pipelines were compiled since it was last written, `pipelines` being how many there are now, and that
    /// is a while ago.
    pub fn save_in_turn(&self, pipelines: u64) {
        let mut saved = lock(&self.saved);
        if pipelines > saved.pipelines && saved.at.elapsed() >= PAUSE {
            *saved = Saved { pipelines, at: Instant::now() };
            self.save();
        }
    }

    /// Writes the file if pipelines were compiled since it was last written.
    pub fn save_last(&self, pipelines: u64) {
        if pipelines > lock(&self.saved).pipelines {
            self.save();
        }
    }

    fn save(&self) {
        if let Some(data) = self.raw.get_data() {
            // A full disk or a directory that cannot be written costs the next run its start, and nothing else.
            _ = replace(&self.file, &data);
        }
    }
}

/// What a file holds, if it is whole.
pub(crate) fn content(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (sum, data) = rest.split_first_chunk::<8>()?;
    (u64::from_le_bytes(*sum) == checksum(data)).then_some(data)
}

/// Replaces a file by one that holds `data`: whoever reads it meanwhile has the old one or the new one.
pub(crate) fn replace(file: &Path, data: &[u8]) -> std::io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    // Of this process alone, so that two that end at once do not write into one file.
    let part = file.with_extension(format!("part-{}", std::process::id()));
    let written = fs::File::create(&part).and_then(|mut out| {
        out.write_all(MAGIC)?;
        out.write_all(&checksum(data).to_le_bytes())?;
        out.write_all(data)?;
        out.sync_all()
    });
    let done = written.and_then(|()| fs::rename(&part, file));
    if done.is_err() {
        _ = fs::remove_file(&part);
    }
    done
}

/// FNV-1a.
fn checksum(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_a_damaged_one_is_none() {
        let directory = std::env::temp_dir().join(format!("trueno-cache-{}", std::process::id()));
        let file = directory.join("inner/pipelines");
        for data in [&b"first"[..], b"the second"] {
            replace(&file, data).unwrap();
            let bytes = fs::read(&file).unwrap();
            assert_eq!(content(&bytes), Some(data));
            for end in 0..bytes.len() {
                assert_eq!(content(&bytes[..end]), None, "cut at {end}");
                let mut damaged = bytes.clone();
                damaged[end] ^= 4;
                assert_eq!(content(&damaged), None, "damaged at {end}");
            }
        }
        let left: Vec<_> = fs::read_dir(file.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        fs::remove_dir_all(directory).unwrap();
    }
}

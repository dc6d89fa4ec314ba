//! A GPU for the tests: the machine's own, or a program that behaves like one.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::install::install_debian_packages;
use crate::report::Verdict;

/// Debian's software Vulkan device (lavapipe), and the loader through which programs find it.
const PACKAGES: [&str; 2] = ["libvulkan1", "mesa-vulkan-drivers"];

/// Where drivers tell the loader of themselves.
const DRIVERS: [&str; 3] = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];

/// Whether tests find a device here. Where they do they are told to fail without one (`TRUENO_DEVICE`).
pub fn present() -> bool {
    let named = std::env::var_os("VK_DRIVER_FILES").is_some();
    named || DRIVERS.iter().any(|folder| fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some()))
}

/// Installs the software device where there is no other.
pub fn device() -> Result<Verdict> {
    if !present() {
        for package in PACKAGES {
            if let Err(missing) = install_debian_packages(&[package]) {
                return Ok(Verdict::skipped(format!("{missing}; no kernel of trueno-gpu is run")));
            }
        }
    }
    if !present() {
        return Ok(Verdict::skipped("there is no Vulkan driver; no kernel of trueno-gpu is run"));
    }
    let software = Path::new(DRIVERS[0]).join("lvp_icd.x86_64.json").is_file();
    Ok(Verdict::Passed(if software { "a software device".into() } else { "the machine's own".to_string() }))
}

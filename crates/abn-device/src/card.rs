//! What the system knows of a card and Burn does not tell: driver and memory.

use burn::tensor::Device;

use crate::Backend;

/// The driver and the memory of a device, as far as they can be found out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Card {
    /// With its version.
    pub(crate) driver: Option<String>,
    /// In bytes.
    pub(crate) memory: Option<u64>,
}

impl Card {
    /// Of the processor, whose memory is that of the machine.
    fn processor() -> Self {
        let told = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            driver: None,
            memory: machine_memory(&told),
        }
    }
}

/// Of a device of a backend.
#[cfg(not(feature = "gpu"))]
pub(crate) fn of(_backend: Backend, _device: &Device) -> Card {
    Card::processor()
}

#[cfg(feature = "gpu")]
pub(crate) use gpu::of;

#[cfg(feature = "gpu")]
mod gpu {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::{Backend, Card, Device, of_nvidia};

    /// Of a device of a backend.
    pub(crate) fn of(backend: Backend, device: &Device) -> Card {
        let Some(identity) = device.identity() else {
            return Card::processor();
        };
        let address = identity.physical.as_ref();
        let address = address.and_then(|card| card.pci_address);
        let address = address.map(|address| address.to_string());
        let at_address = match &address {
            Some(address) => nvidia(address).unwrap_or_else(|| linux(address)),
            None if identity.physical.is_none() => Card::processor(),
            None => Card::default(),
        };
        Card {
            driver: driver(backend, &identity.name, address.as_deref()).or(at_address.driver),
            memory: at_address.memory,
        }
    }

    #[cfg(feature = "drivers")]
    use crate::drivers::driver;

    #[cfg(not(feature = "drivers"))]
    fn driver(_backend: Backend, _name: &str, _address: Option<&str>) -> Option<String> {
        None
    }

    /// What the driver of NVIDIA says of its card at that address.
    fn nvidia(address: &str) -> Option<Card> {
        let asked = "--query-gpu=pci.bus_id,driver_version,memory.total";
        let mut command = Command::new("nvidia-smi");
        command.args([asked, "--format=csv,noheader,nounits"]);
        let answer = command.output().ok()?.stdout;
        of_nvidia(&String::from_utf8_lossy(&answer), address)
    }

    /// What Linux says of the card at that address: the name of its driver, and from some drivers
    /// its memory.
    fn linux(address: &str) -> Card {
        let folder = Path::new("/sys/bus/pci/devices").join(address);
        let driver = fs::read_link(folder.join("driver")).ok();
        let name = driver.as_deref().and_then(Path::file_name);
        let memory = fs::read_to_string(folder.join("mem_info_vram_total")).ok();
        Card {
            driver: name.map(|name| name.to_string_lossy().into_owned()),
            memory: memory.and_then(|bytes| bytes.trim().parse().ok()),
        }
    }
}

/// The memory that Linux tells in `/proc/meminfo`.
fn machine_memory(told: &str) -> Option<u64> {
    let line = told.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes: u64 = line?.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The line of `nvidia-smi` for the card at that address: `00000000:07:00.0, 570.124, 143771`.
#[cfg(any(test, feature = "gpu"))]
fn of_nvidia(told: &str, address: &str) -> Option<Card> {
    // The domain has four digits or eight.
    let short = |address: &str| address.trim_start_matches('0').to_lowercase();
    told.lines().find_map(|line| {
        let mut fields = line.split(',').map(str::trim);
        if short(fields.next()?) != short(address) {
            return None;
        }
        let driver = fields.next()?;
        let mebibytes: Option<u64> = fields.next().and_then(|text| text.parse().ok());
        Some(Card {
            driver: Some(format!("NVIDIA {driver}")),
            memory: mebibytes.and_then(|size| size.checked_mul(1 << 20)),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_of_an_address_is_found_among_others() {
        let told = "00000000:07:00.0, 570.124.06, 143771\n00000001:0A:00.0, 570.124.06, [N/A]\n";
        let first = of_nvidia(told, "0000:07:00.0").unwrap();
        assert_eq!(first.driver.as_deref(), Some("NVIDIA 570.124.06"));
        assert_eq!(first.memory, Some(143_771 << 20));
        let second = of_nvidia(told, "0001:0a:00.0").unwrap();
        assert_eq!(second.memory, None);
        for (told, address) in [
            (told, "0000:08:00.0"),
            ("", "0000:07:00.0"),
            ("x\n,,", "x:y"),
        ] {
            assert_eq!(of_nvidia(told, address), None, "{address}");
        }
    }

    #[test]
    fn the_memory_of_the_machine_is_read() {
        let told = "MemTotal:       24642768 kB\nMemFree:        1 kB\n";
        assert_eq!(machine_memory(told), Some(24_642_768 << 10));
        for damaged in [
            "",
            "MemTotal:",
            "MemTotal: x kB",
            "MemTotal: 99999999999999999999 kB",
        ] {
            assert_eq!(machine_memory(damaged), None, "{damaged}");
        }
    }
}

//! What the drivers behind wgpu call themselves.

use wgpu::{Adapter, AdapterInfo, Backends, Instance, InstanceDescriptor};

use crate::Backend;

/// The driver of a device, by the name of the device and its address on the bus, if it has one.
pub(crate) fn driver(backend: Backend, name: &str, address: Option<&str>) -> Option<String> {
    let backends = match backend {
        Backend::Vulkan => Backends::VULKAN,
        Backend::Metal => Backends::METAL,
        Backend::Wgpu => Backends::PRIMARY,
        Backend::Cuda | Backend::Cpu => return None,
    };
    let instance = Instance::new(InstanceDescriptor {
        backends,
        ..InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(backends));
    let infos = adapters.iter().map(Adapter::get_info);
    let is_it = |info: &AdapterInfo| {
        info.name == name && address.is_none_or(|address| info.device_pci_bus_id == address)
    };
    let AdapterInfo {
        driver,
        driver_info,
        ..
    } = infos.into_iter().find(is_it)?;
    let told = format!("{driver} {driver_info}");
    let told = told.trim();
    (!told.is_empty()).then(|| told.to_owned())
}

//! The machine's own addresses, for candidates when the operator names none.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

/// Addresses of the interfaces that are up, without loopback and link-local ones, IPv4 first, each
/// once. Empty on a machine without a network.
///
/// # Errors
///
/// When the kernel does not say.
pub fn local_addresses() -> io::Result<Vec<IpAddr>> {
    let list = InterfaceList::read()?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut next = list.0;
    while !next.is_null() {
        // SAFETY: `next` is not null and points into the list, which lives until `list` drops.
        let entry = unsafe { &*next };
        if entry.ifa_flags & UP != 0
            && let Some(address) = address_of(entry)
            && is_usable(address)
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
        next = entry.ifa_next;
    }
    addresses.sort_by_key(IpAddr::is_ipv6);
    Ok(addresses)
}

const UP: u32 = 1;
const _: () = assert!(libc::IFF_UP == 1);

/// The kernel's list, freed when dropped.
struct InterfaceList(*mut libc::ifaddrs);

impl InterfaceList {
    fn read() -> io::Result<Self> {
        let mut head = ptr::null_mut();
        // SAFETY: `head` is a valid place for the pointer that the call writes.
        let result = unsafe { libc::getifaddrs(&raw mut head) };
        if result == 0 {
            Ok(Self(head))
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for InterfaceList {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `getifaddrs` and is freed once, here.
        unsafe { libc::freeifaddrs(self.0) }
    }
}

fn address_of(entry: &libc::ifaddrs) -> Option<IpAddr> {
    if entry.ifa_addr.is_null() {
        return None;
    }
    // SAFETY: not null; every socket address starts with its family.
    let family = unsafe { (*entry.ifa_addr).sa_family };
    match i32::from(family) {
        libc::AF_INET => {
            // SAFETY: the family says that a `sockaddr_in` is there; it may be unaligned.
            let v4 = unsafe { ptr::read_unaligned(entry.ifa_addr.cast::<libc::sockaddr_in>()) };
            Some(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that a `sockaddr_in6` is there; it may be unaligned.
            let v6 = unsafe { ptr::read_unaligned(entry.ifa_addr.cast::<libc::sockaddr_in6>()) };
            Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

/// Whether another machine could reach us there.
fn is_usable(address: IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !address.is_loopback() && !address.is_unspecified() && !is_link_local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_never_hold_loopback_nor_repeat() {
        let addresses = local_addresses().unwrap();
        assert!(addresses.iter().all(|a| !a.is_loopback()));
        let mut once = addresses.clone();
        once.dedup();
        assert_eq!(once, addresses);
        assert!(addresses.is_sorted_by_key(IpAddr::is_ipv6));
    }

    #[test]
    fn link_local_and_loopback_are_of_no_use_to_endpoints() {
        for useless in ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0"] {
            assert!(!is_usable(useless.parse().unwrap()), "{useless}");
        }
        assert!(is_usable("192.0.2.1".parse().unwrap()));
    }
}

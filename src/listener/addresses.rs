//! How many connections each client address has, over all workers. Knows no connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::peer::customer;

/// The addresses that have connections now, so never more than there are connections. Where connections are not limited by
/// address there are none, and nobody takes the lock; where they are, an accept and an end each take it for one look-up.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection, counted towards its address while it lasts; by default to none.
#[derive(Debug, Default)]
pub(super) struct Seat(Option<(Addresses, IpAddr)>);

impl Addresses {
    /// Counts a connection of `address`, unless it has `most` already; one of no address is not counted.
    pub(super) fn enter(&self, address: Option<IpAddr>, most: Option<usize>) -> Option<Seat> {
        let (Some(address), Some(most)) = (address.map(customer), most) else {
            return Some(Seat(None));
        };
        let mut counts = self.lock();
        let count = counts.entry(address).or_insert(0);
        // Only an address that has connections has an entry, and `most` is at least one.
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Seat(Some((self.clone(), address))))
    }

    fn leave(&self, address: IpAddr) {
        let mut counts = self.lock();
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Ends the count, before the drop does.
    pub(super) fn leave(&mut self) {
        if let Some((addresses, address)) = self.0.take() {
            addresses.leave(address);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_connections_and_is_forgotten_with_the_last() {
        let addresses = Addresses::default();
        let enter = |text: &str| addresses.enter(text.parse().ok(), Some(2));
        let first = enter("2001:db8::1").unwrap();
        let second = enter("2001:db8::2").unwrap();
        assert!(enter("2001:db8::3").is_none());
        assert!(enter("192.0.2.1").is_some());
        drop(first);
        assert!(enter("2001:db8::3").is_some());
        drop(second);
        assert!(addresses.lock().is_empty());
    }

    #[test]
    fn without_an_address_or_a_limit_nothing_is_counted() {
        let addresses = Addresses::default();
        let _nobody = addresses.enter(None, Some(1)).unwrap();
        let _unlimited = addresses.enter("192.0.2.1".parse().ok(), None).unwrap();
        assert!(addresses.lock().is_empty());
    }
}

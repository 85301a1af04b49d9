//! Hosts on links.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod contract;
mod dns;
mod hostile;
mod properties;
mod questions;
mod vectors;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag_mdns::{Config, Event, Host, Interface, Name};
use wigwag_sansio::{Datagram, Seed, Transmit};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const UUID: &str = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
pub(crate) const OTHER: &str = "2579ef4b-50ae-4bfe-95af-70b3376ecb9c.local";

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A host at 10.0.0.1/24.
pub(crate) fn host(config: Config) -> Host {
    let mut host = Host::new(config, Seed::for_test(1));
    host.add_interface(Interface::new(ip("10.0.0.1"), 24)).unwrap();
    host
}

/// A host, the time, and what it has sent.
pub(crate) struct Lone {
    pub(crate) host: Host,
    pub(crate) now: Instant,
    told: Vec<Event>,
}

impl Lone {
    pub(crate) fn new(host: Host) -> Self {
        Self { host, now: wigwag_sim::origin(), told: Vec::new() }
    }

    /// Everything that is owed now.
    pub(crate) fn sent(&mut self) -> Vec<(Transmit, dns::Message)> {
        let (mut out, mut sent) = (Vec::new(), Vec::new());
        self.host.handle_timeout(self.now);
        while let Some(transmit) = self.host.poll_transmit(self.now, &mut out) {
            assert!(out.len() <= 1232 && transmit.segment_size == out.len());
            sent.push((transmit, dns::read(&out)));
            assert!(sent.len() < 1000, "spins");
        }
        self.told.extend(std::iter::from_fn(|| self.host.poll_event()));
        assert!(self.host.poll_timeout(self.now).is_none_or(|at| at > self.now));
        sent
    }

    /// What is sent until then, with the times in milliseconds.
    pub(crate) fn sent_within(&mut self, within: Duration) -> Vec<(u128, Transmit, dns::Message)> {
        let (begin, end) = (self.now, self.now + within);
        let mut all = Vec::new();
        loop {
            let after = (self.now - begin).as_millis();
            all.extend(self.sent().into_iter().map(|(transmit, message)| (after, transmit, message)));
            match self.host.poll_timeout(self.now).filter(|at| *at <= end) {
                Some(at) => self.now = at,
                None => break,
            }
        }
        self.now = end;
        all
    }

    pub(crate) fn hear(&mut self, from: &str, mut bytes: Vec<u8>) {
        self.hear_at("10.0.0.1:5353", from, &mut bytes);
    }

    pub(crate) fn hear_at(&mut self, at: &str, from: &str, bytes: &mut [u8]) {
        self.host.handle_input(Datagram::udp(socket(at), socket(from), bytes), self.now);
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        let mut told = std::mem::take(&mut self.told);
        told.extend(std::iter::from_fn(|| self.host.poll_event()));
        told
    }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn resolved(text: &str, address: &str) -> Event {
    let mut lone = Lone::new(host(Config::default()));
    lone.host.resolve(text).unwrap();
    lone.sent();
    lone.hear("10.0.0.2:5353", dns::answer(text, ip(address)));
    let event = lone.events().remove(0);
    assert!(matches!(event, Event::Resolved { .. }));
    event
}

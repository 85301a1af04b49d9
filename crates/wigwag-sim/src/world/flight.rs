//! How datagrams are sent, and how they arrive.

use super::{Host, World};
use crate::link::Passage;
use crate::topology::{INTERNET, Summit};
use crate::trace::{Record, Sent};
use crate::{Fate, Node};
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_sansio::{Datagram, Ecn, Protocol, Transmit};

/// Something on its way.
#[derive(Debug)]
pub(super) struct Flight {
    to: Host,
    protocol: Protocol,
    summit: Summit,
    ecn: Ecn,
    payload: Vec<u8>,
    sender: Sender,
    /// What was noted of it, if this copy decides what became of it.
    sent: Option<Sent>,
}

/// Who sent it, and how the sender names the way.
#[derive(Clone, Copy, Debug)]
struct Sender {
    host: Host,
    local: SocketAddr,
    remote: SocketAddr,
}

impl<N: Node> World<N> {
    pub(super) fn arrive(&mut self) {
        let Some((_, flight)) = self.flights.pop_first() else { return };
        let Flight { to, protocol, summit, ecn, mut payload, sender, sent } = flight;
        let now = self.now;
        let fate = match self.topology.descend(summit, protocol, now) {
            Ok((host, local)) if host == to => {
                let datagram = Datagram { protocol, local, remote: summit.from, ecn, payload: &mut payload };
                return self[to].handle_input(datagram, now);
            }
            // The address may have been taken away meanwhile.
            Ok(_) => Fate::NoRoute,
            Err(fate) => fate,
        };
        if let Some(sent) = sent {
            self.trace.amend(sent, fate);
            self.refuse(sender, protocol);
        }
    }

    pub(super) fn poll_transmit(&mut self, host: Host) -> bool {
        let mut out = std::mem::take(&mut self.out);
        let transmit = self.nodes[host.0].poll_transmit(self.now, &mut out);
        if let Some(transmit) = &transmit {
            self.send(host, transmit, &out);
        }
        self.out = out;
        transmit.is_some()
    }

    /// Cuts a batch as the kernel would.
    fn send(&mut self, from: Host, transmit: &Transmit, out: &[u8]) {
        match transmit.protocol {
            Protocol::Udp if !out.is_empty() => {
                assert!(transmit.segment_size > 0, "datagrams of a batch have a size");
                for payload in out.chunks(transmit.segment_size) {
                    self.send_one(from, transmit, payload.to_vec());
                }
            }
            Protocol::Udp | Protocol::Tcp | Protocol::Tls => self.send_one(from, transmit, out.to_vec()),
        }
    }

    fn send_one(&mut self, host: Host, transmit: &Transmit, payload: Vec<u8>) {
        let Transmit { protocol, local, remote, ecn, .. } = *transmit;
        let sender = Sender { host, local, remote };
        let (begin, now) = (self.begin, self.now);
        let mut arriving = payload.clone();
        let summit = self.topology.climb(host, protocol, [local, remote], now);
        let way = summit.and_then(|summit| Ok((summit, self.topology.owner(summit, protocol, now)?)));
        let Passage { fate, mut arrivals, is_delayed } = match way {
            Ok((_, to)) => self.link(host, to).pass(protocol, [local, remote], [begin, now], &mut arriving),
            Err(fate) => Passage { fate, arrivals: vec![], is_delayed: false },
        };
        if is_delayed {
            self.note("delayed");
        }
        let to = way.ok().map(|(_, to)| to).or_else(|| self.topology.host(INTERNET, remote));
        let hosts = (host.0, to.map(|to| to.0));
        let sent = self.trace.push(Record { at: self.age(), protocol, from: local, to: remote, payload, fate, hosts });
        let Ok((summit, to)) = way else { return self.refuse(sender, protocol) };
        arrivals.sort();
        let copies = arrivals.len();
        for (n, at) in arrivals.into_iter().enumerate() {
            let sent = (n + 1 == copies).then_some(sent);
            let payload = arriving.clone();
            self.fly(at, Flight { to, protocol, summit, ecn, payload, sender, sent });
        }
    }

    /// A stream that could not be opened, or does not arrive, has ended.
    fn refuse(&mut self, sender: Sender, protocol: Protocol) {
        let Sender { host, local, remote } = sender;
        let is_stream = protocol != Protocol::Udp;
        if let Some(realm) = self.topology.realm_of_sender(host, protocol, local).filter(|_| is_stream) {
            let summit = Summit { realm, from: remote, to: local };
            let end = Flight { to: host, protocol, summit, ecn: Ecn::NotEct, payload: vec![], sender, sent: None };
            self.fly(self.now, end);
        }
    }

    fn fly(&mut self, at: Instant, flight: Flight) {
        self.flights.insert((at, self.sequence), flight);
        self.sequence += 1;
    }
}

//! The machine that these worlds are made of.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_sansio::{Datagram, Ecn, Timer, Transmit};
use wigwag_sim::{A, Node, Z, address};

/// Sends what it is told, echoes what it gets if it is told to, and keeps what it got.
#[derive(Default)]
pub(crate) struct Talker {
    pub(crate) outgoing: VecDeque<(Transmit, Vec<u8>)>,
    pub(crate) is_echo: bool,
    pub(crate) incoming: Vec<(SocketAddr, Ecn, Vec<u8>)>,
    events: usize,
    pub(crate) told: usize,
    pub(crate) timer: Timer,
    pub(crate) is_stuck: bool,
}

impl Talker {
    pub(crate) fn say(&mut self, from: SocketAddr, to: SocketAddr, text: &str) {
        self.outgoing.push_back((Transmit::udp(from, to, text.len()), text.into()));
    }

    pub(crate) fn echo() -> Self {
        Self { is_echo: true, ..Self::default() }
    }
}

impl Node for Talker {
    fn handle_input(&mut self, datagram: Datagram<'_>, _now: Instant) {
        let Datagram { protocol, local, remote, ecn, payload } = datagram;
        self.incoming.push((remote, ecn, payload.to_vec()));
        self.events += 1;
        if self.is_echo {
            let transmit = Transmit { protocol, ..Transmit::udp(local, remote, payload.len()) };
            self.outgoing.push_back((transmit, payload.to_vec()));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.timer.expire(now) {
            let tick = format!("tick after {}", self.incoming.len());
            self.say(address(A), address(Z), &tick);
        }
    }

    fn poll_transmit(&mut self, _now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let (transmit, bytes) = self.outgoing.pop_front()?;
        *out = bytes;
        Some(transmit)
    }

    fn poll_event(&mut self) -> bool {
        let has_event = self.events > self.told;
        self.told = self.events;
        has_event
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let is_owed = !self.outgoing.is_empty() || self.events > self.told || self.is_stuck;
        if is_owed { Some(now) } else { self.timer.deadline() }
    }
}

pub(crate) fn text(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).into_owned()
}

//! Hosts on links.

use crate::script::Script;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag_mdns::{Config, Event, Host, Interface, Name, PORT};
use wigwag_sansio::{Datagram, Seed};

/// What a script may take.
const STEPS_MAX: usize = 200;

/// Any messages of whomever, any commands, and any time between.
pub fn mdns_host(data: &[u8]) {
    _ = play(data);
}

fn play(data: &[u8]) -> Host {
    let mut script = Script::new(data);
    let mut config = Config::default();
    config.unicast_responses = script.byte() & 1 != 0;
    let mut player = Player { host: Host::new(config, Seed::for_test(1)), now: wigwag_sim::origin() };
    player.link(0, true);
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        player.step(&mut script);
        player.settle();
    }
    player.host
}

/// Addresses of ours, of neighbours, and of others.
fn ip(number: u8) -> IpAddr {
    match number % 8 {
        number @ 0..=3 => [10, 0, 0, 1 + number].into(),
        4 => [10, 0, 1, 1].into(),
        5 => [0xfe80, 0, 0, 0, 0, 0, 0, 5].into(),
        6 => [127, 0, 0, 1].into(),
        _ => [0; 4].into(),
    }
}

fn name(number: u8) -> String {
    format!("{:08x}-ea17-4bcf-a596-105139dfd8bf.local", number % 100)
}

struct Player {
    host: Host,
    now: Instant,
}

impl Player {
    fn step(&mut self, script: &mut Script<'_>) {
        let (kind, argument) = (script.byte(), script.byte());
        match kind {
            0..=31 => _ = self.host.resolve(&name(argument)),
            32..=39 => self.host.cancel(&name(argument).parse().expect("a name")),
            40..=55 => _ = self.host.register(ip(argument)),
            56..=63 => {
                if let Some(name) = self.ours(argument) {
                    self.host.unregister(&name);
                }
            }
            64..=79 => self.link(argument, argument & 0x80 == 0),
            80..=111 => self.now += Duration::from_millis(u64::from(argument) * 40 + 1),
            112..=143 => {
                let bytes = script.bytes().to_vec();
                self.input(argument, script.u16(), bytes);
            }
            _ => self.message(argument, script),
        }
        assert!(self.host.queries() <= 64 && self.host.names().count() <= 64 && self.host.interfaces().count() <= 64);
    }

    fn ours(&self, number: u8) -> Option<Name> {
        self.host.names().nth(usize::from(number)).or_else(|| self.host.names().next()).map(|(name, _)| name)
    }

    fn link(&mut self, number: u8, is_new: bool) {
        let interface = Interface::new(ip(number), 24);
        if is_new {
            let _ = self.host.add_interface(interface);
        } else {
            self.host.remove_interface(interface.local);
        }
    }

    /// Questions for, and addresses of, names that somebody asks for or has.
    fn message(&mut self, argument: u8, script: &mut Script<'_>) {
        let is_response = argument & 1 != 0;
        let ours = self.ours(argument >> 4).filter(|_| argument & 2 != 0).map(|name| name.to_string());
        let text = ours.unwrap_or_else(|| name(script.byte()));
        let count = u16::from(script.byte() % 4);
        let mut bytes = vec![0, script.byte(), if is_response { 0x84 } else { (argument >> 2) & 2 }, 0];
        let counts = if is_response { [0, count, 0, 0] } else { [count, u16::from(argument >> 7), 0, 0] };
        counts.iter().for_each(|count| bytes.extend(count.to_be_bytes()));
        for number in 0..count {
            if number == 0 {
                bytes.push(36);
                bytes.extend(&text.as_bytes()[..36]);
                bytes.extend(b"\x05local\0");
            } else {
                bytes.extend([0xc0, 12]);
            }
            bytes.extend([0, [1, 28, 255, 16][usize::from(script.byte() % 4)], (script.byte() & 1) << 7, 1]);
            if is_response {
                let IpAddr::V4(ip) = ip(script.byte()) else { return };
                bytes.extend([0, 0, 0, 120 * ((argument >> 3) & 1), 0, 4]);
                bytes.extend(ip.octets());
            }
        }
        if !is_response && argument >> 7 != 0 && count > 0 {
            bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, script.byte(), 0, 4, 10, 0, 0, 1]);
        }
        script.damage(&mut bytes);
        self.input(script.byte(), if argument & 4 == 0 { PORT } else { 40_000 }, bytes);
    }

    fn input(&mut self, from: u8, port: u16, mut bytes: Vec<u8>) {
        let before = self.host.stats().dropped();
        let local = SocketAddr::new(ip(from >> 3), PORT);
        self.host.handle_input(Datagram::udp(local, SocketAddr::new(ip(from), port), &mut bytes), self.now);
        assert!(self.host.stats().dropped() - before <= 1, "counted once");
    }

    /// A loop does all that is due, and then sleeps.
    fn settle(&mut self) {
        self.host.handle_timeout(self.now);
        let mut out = Vec::new();
        for turn in 0.. {
            let sent = self.host.poll_transmit(self.now, &mut out);
            if let Some(transmit) = sent {
                assert!(out.len() <= 1232 && transmit.segment_size == out.len());
                assert!(
                    self.host.interfaces().any(|interface| interface.local == transmit.local),
                    "from a link of ours"
                );
                let is_response = out.get(2).is_some_and(|flags| flags & 0x80 != 0);
                assert!(is_response || transmit.remote.ip().is_multicast(), "a question is for all");
            }
            let event = self.host.poll_event();
            if let Some(Event::Resolved { address, .. }) = event {
                assert!(!address.is_unspecified() && !address.is_multicast());
            }
            if sent.is_none() && event.is_none() {
                break;
            }
            assert!(turn < 1000, "spins");
        }
        let wake = self.host.poll_timeout(self.now);
        assert!(wake.is_none_or(|at| at > self.now), "sleeps");
        assert!(wake.is_some() || self.host.queries() == 0, "a name is given up");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_get_where_they_want() {
        let resolved = play(include_bytes!("../corpus/mdns_host/resolved"));
        assert_eq!((resolved.stats().resolved, resolved.stats().ambiguous), (1, 1), "{:?}", resolved.stats());
        let stats = *play(include_bytes!("../corpus/mdns_host/answered")).stats();
        assert!(stats.responses_sent >= 3 && stats.replies_sent == 2 && stats.known == 1, "{stats:?}");
        assert_eq!(play(include_bytes!("../corpus/mdns_host/given_up")).stats().unresolved, 1);
    }
}

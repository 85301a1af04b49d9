//! ICE agents.

use crate::duel::{Player, duel};
use crate::script::Script;
use std::net::SocketAddr;
use std::time::Instant;
use wigwag_ice::{Agent, Config, Credentials, Kind, LocalCandidate, Path, Role};
use wigwag_ice::{Deframer, HEADER_LEN, RemoteCandidate, peek};
use wigwag_sansio::{Datagram, Protocol, Seed};
use wigwag_stun::{AttributeType, Class, IntegrityKey, MessageWriter, Method, TransactionId};

/// Any STUN messages, authentic or not, from any address, between two agents.
pub fn ice_agent(data: &[u8]) {
    _ = duel([Peer::new(0), Peer::new(1)], data);
}

/// Any bytes as a stream of packets, cut anywhere: the first byte says how long packets may be, and the next ones where it is cut, as long
/// as they are below 128; what is behind the first that is not is the stream.
pub fn ice_frames(data: &[u8]) {
    let Some((len_max, rest)) = data.split_first() else { return };
    let (len_max, begin) = (usize::from(*len_max) * 8, rest.iter().position(|byte| *byte >= 128).unwrap_or(rest.len()));
    let (cuts, stream) = rest.split_at(begin);
    let stream = stream.get(1..).unwrap_or_default();
    let read = |deframer: &mut Deframer, bytes: &[u8], packets: &mut Vec<Vec<u8>>| {
        deframer.read(&mut bytes.to_vec(), len_max, |packet| {
            assert!((1..=len_max).contains(&packet.len()));
            packets.push(packet.to_vec());
        })
    };
    let (mut whole, mut in_pieces) = (vec![], vec![]);
    let is_sensible = read(&mut Deframer::default(), stream, &mut whole);
    let (mut deframer, mut left, mut is_sensible_in_pieces) = (Deframer::default(), stream, true);
    for len in cuts.iter().map(|cut| usize::from(*cut)).chain([usize::MAX]) {
        let (piece, behind) = left.split_at(len.min(left.len()));
        left = behind;
        is_sensible_in_pieces = is_sensible_in_pieces && read(&mut deframer, piece, &mut in_pieces);
        assert!(!is_sensible_in_pieces || deframer.kept() <= HEADER_LEN + len_max);
    }
    assert_eq!((is_sensible, whole), (is_sensible_in_pieces, in_pieces));
}

/// Any bytes as a message whose agent is looked for.
pub fn ice_peek(data: &[u8]) {
    let _ = peek(data);
}

struct Peer {
    agent: Agent,
    number: usize,
    /// The latest time that it was told.
    now: Instant,
}

impl Peer {
    /// Says that something else than STUN came this way.
    fn data(&mut self, local: SocketAddr, remote: SocketAddr) {
        self.agent.data_received(Path { protocol: Protocol::Udp, local, remote }, self.now);
    }

    fn new(number: usize) -> Self {
        let mut config = Config::default();
        config.role = if number == 0 { Role::Controlling } else { Role::Controlled };
        config.credentials = Some(credentials(number));
        (config.candidates_max, config.pairs_max) = (8, 12);
        Self { agent: Agent::new(config, Seed::for_test(number as u64)), number, now: wigwag_sim::origin() }
    }
}

/// How often one begins anew under a name that the other knows.
const GENERATIONS: u8 = 4;

pub(crate) fn credentials(number: usize) -> Credentials {
    Credentials { ufrag: format!("peer{number}"), password: format!("the password of number {number}") }
}

/// Of a generation after the first.
fn credentials_of(number: usize, generation: u8) -> Credentials {
    let Credentials { ufrag, password } = &credentials(number);
    match generation % GENERATIONS {
        0 => credentials(number),
        generation => Credentials {
            ufrag: format!("{ufrag}anew{generation}"),
            password: format!("{password}, generation {generation}"),
        },
    }
}

/// The addresses of both; more on either side are a stranger's.
pub(crate) fn address(number: u8) -> SocketAddr {
    match number % 8 {
        7 => ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 4000).into(),
        number => ([192, 0, 2, number], 4000 + u16::from(number)).into(),
    }
}

pub(crate) fn number(address: SocketAddr) -> u8 {
    (0..8).find(|number| self::address(*number) == address).unwrap_or(0)
}

/// On the wire of a duel, the first two bytes are the sender's address and the receiver's.
impl Player for Peer {
    fn input(&mut self, packet: &mut [u8], now: Instant) {
        self.now = now;
        if let [from, to, payload @ ..] = packet {
            self.agent.handle_input(Datagram::udp(address(*to), address(*from), payload), now);
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.now = now;
        self.agent.handle_timeout(now);
    }

    fn packet(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let Some(transmit) = self.agent.poll_transmit(now, out) else { return false };
        assert!(out.len() <= 1200 && transmit.segment_size >= out.len(), "one message that fits");
        out.splice(..0, [number(transmit.local), number(transmit.remote)]);
        true
    }

    fn event(&mut self) -> bool {
        self.agent.poll_event().is_some()
    }

    fn wake(&self, now: Instant) -> Option<Instant> {
        self.agent.poll_timeout(now)
    }

    fn command(&mut self, script: &mut Script<'_>) {
        let (command, argument) = (script.byte(), script.byte());
        let own = address(1 + self.number as u8 + argument % 3 * 2);
        match command {
            0..=63 => _ = self.agent.add_local_candidate(LocalCandidate::host(own)),
            64..=79 => {
                let mapped = LocalCandidate::server_reflexive(address(argument), own, [198, 51, 100, 1].into());
                _ = self.agent.add_local_candidate(mapped);
            }
            80..=159 => self.agent.set_remote_credentials(credentials_of(1 - self.number, argument)),
            160..=223 => {
                let candidate = RemoteCandidate::udp("1", script.u32(), address(argument), Kind::Host);
                _ = self.agent.add_remote_candidate(candidate);
            }
            224..=231 => self.agent.end_of_local_candidates(),
            232..=239 => self.agent.end_of_remote_candidates(),
            240..=243 => self.agent.set_role(if argument & 1 == 0 { Role::Controlling } else { Role::Controlled }),
            244..=246 => self.agent.prepare_restart(credentials_of(self.number, argument)),
            247 => self.agent.cancel_restart(),
            248 => _ = self.agent.restart(),
            249 => self.agent.remove_local_candidate(own),
            250 => self.agent.add_stun_server(address(argument)),
            251 => self.data(own, address(argument)),
            _ => self.agent.close(),
        }
        assert!(self.agent.remote_candidates().len() <= 8 && self.agent.local_candidates().len() <= 8, "bounded");
    }

    fn repair(&self, packet: &mut Vec<u8>) {
        repair_with(packet, self.number, &self.agent.local_credentials().password);
    }
}

/// The same attributes, with the right lengths, integrity and fingerprint, as the agent of this number would send them.
pub(crate) fn repair(packet: &mut Vec<u8>, number: usize) {
    repair_with(packet, number, &credentials(number).password);
}

/// ... and whose password is this one.
fn repair_with(packet: &mut Vec<u8>, number: usize, password: &str) {
    if packet.len() < 22 {
        packet.resize(22, 0);
    }
    let class = match (packet[2] & 1, packet[3] & 0x10) {
        (0, 0) => Class::Request,
        (0, _) => Class::Indication,
        (_, 0) => Class::SuccessResponse,
        (_, _) => Class::ErrorResponse,
    };
    let mut transaction = [0; 12];
    transaction.copy_from_slice(&packet[10..22]);
    let mut message = Vec::new();
    let mut writer = MessageWriter::new(&mut message, class, Method::BINDING, TransactionId(transaction));
    let mut asked = credentials(1 - number);
    for (kind, value) in attributes(&packet[22..]) {
        if kind == AttributeType::USERNAME {
            let named = (0..GENERATIONS).map(|generation| credentials_of(1 - number, generation));
            let is_named = |known: &Credentials| value.starts_with(format!("{}:", known.ufrag).as_bytes());
            asked = named.into_iter().find(is_named).unwrap_or(asked);
        }
        writer = writer.attribute(kind, value);
    }
    // A request is authenticated by the password of who is asked, and so is what it answers.
    let password = if class == Class::Request { &asked.password } else { password };
    writer.integrity(&IntegrityKey::short_term(password)).fingerprint();
    packet.splice(2.., message);
}

/// The attributes before MESSAGE-INTEGRITY, as far as they are any.
fn attributes(mut bytes: &[u8]) -> Vec<(AttributeType, &[u8])> {
    let mut attributes = Vec::new();
    while let [a, b, c, d, rest @ ..] = bytes {
        let kind = u16::from_be_bytes([*a, *b]);
        let length = usize::from(u16::from_be_bytes([*c, *d])).min(rest.len()).min(300);
        if matches!(kind, 0x0008 | 0x001c | 0x8028) {
            break;
        }
        attributes.push((AttributeType(kind), &rest[..length]));
        bytes = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_get_where_they_want() {
        let seeds = [
            include_bytes!("../corpus/ice_agent/connected").as_slice(),
            include_bytes!("../corpus/ice_agent/loss"),
            include_bytes!("../corpus/ice_agent/conflict"),
            include_bytes!("../corpus/ice_agent/damage"),
        ];
        for seed in seeds {
            let peers = duel([Peer::new(0), Peer::new(1)], seed);
            assert!(peers.iter().all(|peer| peer.agent.selected_path().is_some()), "{:?}", peers[0].agent);
        }
    }

    #[test]
    fn the_seeds_of_restarts_begin_anew() {
        let seeds = [
            include_bytes!("../corpus/ice_agent/restart").as_slice(),
            include_bytes!("../corpus/ice_agent/restart_early"),
            include_bytes!("../corpus/ice_agent/restart_both"),
        ];
        for (seed, generations) in seeds.into_iter().zip([[2, 2], [1, 1], [1, 1]]) {
            let peers = duel([Peer::new(0), Peer::new(1)], seed);
            assert_eq!([0, 1].map(|peer: usize| peers[peer].agent.generation()), generations);
            for Peer { agent, number, .. } in &peers {
                assert_eq!(
                    agent.local_credentials(),
                    &credentials_of(*number, *generations.first().unwrap_or(&0) as u8)
                );
                let last = agent.decisions().skip_while(|decision| decision.deed != wigwag_ice::Deed::Restarted);
                let has_nominated = last.into_iter().any(|decision| decision.deed == wigwag_ice::Deed::Nominated);
                assert!(has_nominated && agent.selected_path().is_some(), "{agent:?}");
            }
        }
        let [_, z] = duel([Peer::new(0), Peer::new(1)], include_bytes!("../corpus/ice_agent/restart_taken_back"));
        assert_eq!((z.agent.generation(), z.agent.offered_credentials()), (0, &credentials(1)));
    }

    #[test]
    fn forged_messages_are_repaired() {
        let [_, z] = duel([Peer::new(0), Peer::new(1)], include_bytes!("../corpus/ice_agent/reflexive"));
        assert!(z.agent.remote_candidates().iter().any(|candidate| candidate.address == address(6)));
    }
}

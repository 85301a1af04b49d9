//! TURN clients.

use crate::script::Script;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Ecn, Protocol, Seed};
use wigwag_stun::{AttributeType, Class, ErrorCode, IntegrityKey, Message, MessageWriter, Method, TransactionId};
use wigwag_turn::{Client, ClientConfig, Credentials, channel_data};

const REALM: &str = "example.org";
/// What a script may take: time passes in steps of at most a quarter of an hour.
const STEPS_MAX: usize = 200;

/// Any answers, signed or not, and any datagrams of a server; any commands, and any time between.
pub fn turn_client(data: &[u8]) {
    _ = play(data);
}

/// The same over a stream, which comes in pieces as long as the first byte says, and may end.
pub fn turn_stream(data: &[u8]) {
    _ = play_over_stream(data);
}

fn play(data: &[u8]) -> Client {
    play_over(Protocol::Udp, usize::MAX, data)
}

fn play_over_stream(data: &[u8]) -> Client {
    let (first, rest) = data.split_first().unwrap_or((&1, &[]));
    play_over(Protocol::Tcp, usize::from(*first).max(1), rest)
}

fn play_over(protocol: Protocol, piece_len: usize, data: &[u8]) -> Client {
    let mut script = Script::new(data);
    let config = ClientConfig::new(address(0), address(1), Credentials::new("alice", "secret")).over(protocol);
    let client = Client::new(config, Seed::for_test(1));
    let mut player = Player { client, piece_len, now: wigwag_sim::origin(), asked: None };
    player.settle();
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        player.step(&mut script);
        player.settle();
    }
    player.client
}

fn address(number: u8) -> SocketAddr {
    match number % 8 {
        6 => ([127, 0, 0, 1], 4000).into(),
        7 => ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 4000).into(),
        number => ([192, 0, 2, number], 4000 + u16::from(number)).into(),
    }
}

struct Player {
    client: Client,
    piece_len: usize,
    now: Instant,
    /// The last request.
    asked: Option<(Method, TransactionId)>,
}

impl Player {
    fn step(&mut self, script: &mut Script<'_>) {
        let (kind, argument) = (script.byte(), script.byte());
        match kind {
            0..=31 => self.client.allow(address(argument).ip()),
            32..=63 => self.client.bind(address(argument)),
            64..=71 => self.client.retain(|peer| peer == address(argument).ip()),
            72..=75 => self.client.release(),
            76..=107 => self.wrap(address(argument), usize::from(script.u16()), usize::from(script.byte())),
            108..=139 => self.now += Duration::from_secs(u64::from(argument) * 4) + Duration::from_millis(1),
            140..=159 => self.input(address(argument), script.bytes().to_vec()),
            160..=191 => self.data(argument, script),
            _ => self.answer(argument, script),
        }
    }

    fn wrap(&mut self, peer: SocketAddr, limit: usize, len: usize) {
        let mut out = vec![9; 3];
        let before = self.client.poll_timeout(self.now);
        let is_wrapped = self.client.wrap(peer, limit, &mut out, |limit, out| {
            out.resize(out.len() + len.min(limit), 5);
            len <= limit
        });
        assert!(out.len() <= 3 + limit && out.starts_with(&[9; 3]), "within its limit");
        assert_eq!(is_wrapped, out.len() > 3, "all or nothing");
        assert!(is_wrapped || self.client.poll_timeout(self.now) == before, "nothing comes of nothing");
        let mut packet = vec![5; len];
        assert_eq!(self.client.enclose(peer, &mut packet), self.client.relayed().is_some());
    }

    fn input(&mut self, from: SocketAddr, mut bytes: Vec<u8>) {
        let (protocol, local, relayed) = (self.client.protocol(), self.client.local(), self.client.relayed());
        if protocol != Protocol::Udp {
            let before = self.client.stats().relayed;
            let mut found = 0;
            let whole = if bytes.is_empty() { vec![&mut [][..]] } else { bytes.chunks_mut(self.piece_len).collect() };
            for payload in whole {
                let datagram = Datagram { protocol, local, remote: from, ecn: Ecn::NotEct, payload };
                self.client.handle_input(datagram, self.now, |inner| {
                    assert!(Some(inner.local) == relayed || relayed.is_none());
                    found += 1;
                });
            }
            return assert_eq!(self.client.stats().relayed - before, found);
        }
        let (relayed, len, before) = (self.client.relayed(), bytes.len(), *self.client.stats());
        let mut found = 0;
        self.client.handle_input(Datagram::udp(address(0), from, &mut bytes), self.now, |inner| {
            assert!(Some(inner.local) == relayed && inner.payload.len() < len);
            found += 1;
        });
        assert_eq!(self.client.stats().relayed - before.relayed, found);
        assert!(found == 0 || self.client.stats().dropped() == before.dropped());
    }

    /// What a peer has sent.
    fn data(&mut self, argument: u8, script: &mut Script<'_>) {
        let (number, payload) = (0x4000 + u16::from(script.byte()), script.bytes());
        let mut out = Vec::new();
        if argument & 1 == 0 {
            out.extend_from_slice(&channel_data::header(number, payload.len() as u16));
            out.extend_from_slice(payload);
            if self.client.protocol() != Protocol::Udp {
                out.resize(out.len().next_multiple_of(4), 0);
            }
        } else {
            let method = Method::new(7).unwrap_or(Method::BINDING);
            MessageWriter::new(&mut out, Class::Indication, method, TransactionId([0; 12]))
                .xor_address(AttributeType(0x12), address(argument >> 1))
                .attribute(AttributeType(0x13), payload)
                .fingerprint();
        }
        script.damage(&mut out);
        self.input(self.client.server(), out);
    }

    /// What the server says to the last request.
    fn answer(&mut self, argument: u8, script: &mut Script<'_>) {
        let Some((method, id)) = self.asked else { return };
        let is_error = argument & 1 != 0;
        let class = if is_error { Class::ErrorResponse } else { Class::SuccessResponse };
        let mut out = Vec::new();
        let mut writer = MessageWriter::new(&mut out, class, method, id);
        if is_error {
            let codes = [401, 438, 437, 403, 300, 400, 486, 500];
            let code = codes.get(usize::from(argument >> 5)).copied().unwrap_or_default();
            writer = writer.error_code(ErrorCode { code, reason: "" });
            if let (300, SocketAddr::V4(alternate)) = (code, address(argument >> 1)) {
                let ([p0, p1], [a, b, c, d]) = (alternate.port().to_be_bytes(), alternate.ip().octets());
                writer = writer.attribute(AttributeType(0x8023), &[0, 1, p0, p1, a, b, c, d]);
            }
        }
        if argument & 2 == 0 {
            writer = writer
                .attribute(AttributeType::REALM, REALM.as_bytes())
                .attribute(AttributeType::NONCE, script.bytes());
        }
        if argument & 4 == 0 {
            writer = writer
                .xor_address(AttributeType(0x16), address(script.byte()))
                .xor_mapped_address(address(2))
                .attribute(AttributeType(0x0d), &(u32::from(script.u16()) & 0xfff).to_be_bytes());
        }
        if argument & 8 != 0 {
            writer = writer.attribute(AttributeType(script.u16()), script.bytes());
        }
        if argument & 16 == 0 {
            writer.integrity(&IntegrityKey::long_term("alice", REALM, "secret")).fingerprint();
        } else {
            writer.fingerprint();
        }
        self.input(self.client.server(), out);
    }

    /// A loop does all that is due, and then sleeps.
    fn settle(&mut self) {
        self.client.handle_timeout(self.now);
        let mut out = Vec::new();
        for turn in 0.. {
            let sent = self.client.poll_transmit(self.now, &mut out);
            let is_sent = sent.is_some();
            if let Some(transmit) = sent {
                let is_end = self.client.protocol() != Protocol::Udp && out.is_empty(); // maybe of the stream to the server before
                assert!(transmit.local == address(0) && (is_end || transmit.remote == self.client.server()));
                assert!(![address(0), address(6)].contains(&transmit.remote), "no server is there");
                if self.client.protocol() != Protocol::Udp && out.is_empty() {
                    assert!(transmit.protocol == Protocol::Tcp && self.client.closing().is_none(), "closed once");
                    continue;
                }
                let message = Message::decode(&out).unwrap_or_else(|error| panic!("{error}: {out:02x?}"));
                assert!(message.class() == Class::Request && out.len() < 2500);
                self.asked = Some((message.method(), message.transaction()));
                assert!(self.client.is_awaiting(message.transaction()));
            }
            if !is_sent && self.client.poll_event().is_none() {
                break;
            }
            assert!(turn < 1000, "spins");
        }
        let wake = self.client.poll_timeout(self.now);
        assert!(wake.is_none_or(|at| at > self.now), "sleeps");
        assert!(wake.is_some() || self.client.is_over(), "an address is kept");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_get_where_they_want() {
        let client = play(include_bytes!("../corpus/turn_client/allocated"));
        assert_eq!(client.relayed(), Some(address(3)));
        assert!(client.stats().relayed >= 2, "{:?}", client.stats());
        let client = play(include_bytes!("../corpus/turn_client/kept"));
        assert!(client.relayed().is_some() && client.stats().requests_sent >= 8, "{:?}", client.stats());
        let client = play(include_bytes!("../corpus/turn_client/released"));
        assert!(client.is_over());
    }

    #[test]
    fn the_seeds_of_streams_get_there_too() {
        let client = play_over_stream(include_bytes!("../corpus/turn_stream/allocated"));
        assert_eq!(client.relayed(), Some(address(3)));
        assert!(client.stats().relayed >= 2, "{:?}", client.stats());
        let client = play_over_stream(include_bytes!("../corpus/turn_stream/released"));
        assert!(client.is_over() && client.closing().is_none());
        let client = play_over_stream(include_bytes!("../corpus/turn_stream/out_of_sync"));
        assert_eq!((client.is_over(), client.stats().out_of_sync), (true, 1));
    }
}

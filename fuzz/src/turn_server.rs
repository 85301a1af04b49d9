//! A TURN server, asked by clients that know a password and by one that does not, and an oracle of what they were granted.

use crate::script::Script;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Ecn, Protocol, Seed, Transmit};
use wigwag_stun::{AttributeType, Class, IntegrityKey, Message, MessageWriter, Method, TransactionId};
use wigwag_turn::{Credentials, Server, ServerConfig, ServerEvent, channel_data, framing::Cutter};

const STEPS_MAX: usize = 200;
const REALM: &str = "example.org";
const PERMISSION: Duration = Duration::from_secs(300);
const QUEUE_MAX: usize = 1 << 16;
/// 16 addresses, with all that 4 clients may have.
const HELD_MAX: usize = QUEUE_MAX + 4 * (65_552 + 128 * 260) + 4096;

/// Requests of four clients, data, time and sockets in any order: nothing goes to a peer or comes from one without a permission that was
/// granted less than five minutes ago, nothing goes where nobody may send, and nobody without a password is told much or remembered.
pub fn turn_server(data: &[u8]) {
    _ = play(data);
}

fn play(data: &[u8]) -> Player {
    let mut script = Script::new(data);
    let mut player = Player::new();
    player.settle();
    for _ in 0..STEPS_MAX {
        if script.is_over() {
            break;
        }
        player.step(&mut script);
        player.settle();
        assert!(player.server.held_len() <= HELD_MAX, "{}", player.server.held_len());
    }
    player
}

fn listening() -> SocketAddr {
    ([203, 0, 113, 1], 3478).into()
}

/// Three who know the password, the third over a stream, and one who does not.
fn client(number: u8) -> (Protocol, SocketAddr) {
    let protocol = if number % 4 == 2 { Protocol::Tcp } else { Protocol::Udp };
    (protocol, ([198, 51, 100, number % 4], 700).into())
}

/// Strangers far away, and what nobody may reach.
fn peer(number: u8) -> SocketAddr {
    match number % 16 {
        0 => listening(),
        1 => ([203, 0, 113, 1], 22).into(),
        2 => ([10, 0, 0, 1], 80).into(),
        3 => ([127, 0, 0, 1], 80).into(),
        4 => (u128::from_be_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1]), 80).to_address(),
        5 => (0x2600_u128 << 112 | 1, 900).to_address(),
        number @ 6..=10 => ([203, 0, 113, 1], 50_000 + u16::from(number) - 6).into(),
        number => ([192, 0, 2, number], 900 + u16::from(number & 1)).into(),
    }
}

trait ToAddress {
    fn to_address(self) -> SocketAddr;
}

impl ToAddress for (u128, u16) {
    fn to_address(self) -> SocketAddr {
        SocketAddr::new(IpAddr::V6(self.0.into()), self.1)
    }
}

#[derive(Default)]
struct Client {
    nonce: Vec<u8>,
    relayed: Option<SocketAddr>,
    /// What was asked for and not answered yet, by its transaction.
    asked: BTreeMap<[u8; 12], Vec<IpAddr>>,
    permitted: BTreeMap<IpAddr, Instant>,
    cutter: Cutter,
}

struct Player {
    server: Server,
    now: Instant,
    clients: [Client; 4],
    sockets: BTreeSet<SocketAddr>,
    /// What the driver does next: opens, refuses, says nothing.
    driver: u8,
    asked: u64,
    /// What a stranger has sent, and been sent.
    strangers: (usize, usize),
    out: Vec<u8>,
}

impl Player {
    fn new() -> Self {
        let relays: [IpAddr; 2] = [listening().ip(), IpAddr::V6((0x2600_u128 << 112 | 0xFF).into())];
        let mut config = ServerConfig::new(REALM, [listening()], relays).unwrap_or_else(|error| panic!("{error}"));
        config.add_user(&Credentials::new("alice", "secret"));
        (config.relay_ports, config.queue_max, config.streams_max) = (50_000..=50_007, QUEUE_MAX, 4);
        (config.allocations_max, config.allocations_per_user_max) = (3, 3);
        let (server, now) = (Server::new(config, Seed::for_test(1)), wigwag_sim::origin());
        let clients = std::array::from_fn(|_| Client::default());
        Self { server, now, clients, sockets: BTreeSet::new(), driver: 0, asked: 0, strangers: (0, 0), out: vec![] }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let (kind, argument) = (script.byte(), script.byte());
        match kind {
            0..=127 => self.request(kind >> 2, argument, script),
            128..=159 => self.data(argument, script),
            160..=191 => self.peer_data(argument, script),
            192..=215 => self.now += Duration::from_secs(u64::from(argument) * 4) + Duration::from_millis(1),
            216..=223 => self.driver = argument % 3,
            224..=227 => self.input(2, &mut []),
            _ => {
                let mut bytes = script.bytes().to_vec();
                if !bytes.is_empty() {
                    self.input(argument, &mut bytes);
                }
            }
        }
    }

    /// A request, signed by those who can, or damaged on its way.
    fn request(&mut self, method: u8, argument: u8, script: &mut Script<'_>) {
        self.asked += 1;
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.asked.to_be_bytes());
        let number = [3u16, 4, 8, 9, 3, 8, 9, 1][usize::from(method % 8)];
        let mut out = Vec::new();
        let method = Method::new(number).unwrap_or(Method::BINDING);
        let mut writer = MessageWriter::new(&mut out, Class::Request, method, TransactionId(id));
        let mut peers = Vec::new();
        match number {
            3 => {
                writer = writer.attribute(AttributeType(0x19), &[17, 0, 0, 0]);
                if argument & 0x80 != 0 {
                    writer = writer.attribute(AttributeType(script.u16()), script.bytes());
                }
            }
            4 if argument & 0x80 != 0 => writer = writer.attribute(AttributeType(0x0D), &[0, 0, script.byte() >> 6, 0]),
            8 => {
                for _ in 0..=argument >> 6 {
                    peers.push(peer(script.byte()));
                }
            }
            9 => {
                writer = writer.attribute(AttributeType(0x0C), &[0x40, script.byte() % 4, 0, 0]);
                peers.push(peer(script.byte()));
            }
            _ => {}
        }
        for peer in &peers {
            writer = writer.xor_address(AttributeType(0x12), *peer);
        }
        let who = &mut self.clients[usize::from(argument % 4)];
        if !who.nonce.is_empty() {
            let password = if argument % 4 == 3 { "guess" } else { "secret" };
            let writer = writer.username("alice").attribute(AttributeType::REALM, REALM.as_bytes());
            let writer = writer.attribute(AttributeType::NONCE, &who.nonce);
            writer.integrity(&IntegrityKey::long_term("alice", REALM, password));
        }
        who.asked.insert(id, peers.iter().map(SocketAddr::ip).collect());
        if argument & 0x20 != 0 {
            script.damage(&mut out);
        }
        if !out.is_empty() {
            self.input(argument, &mut out);
        }
    }

    fn data(&mut self, argument: u8, script: &mut Script<'_>) {
        let mut out = Vec::new();
        if argument & 0x40 == 0 {
            let (number, payload) = (0x4000 + u16::from(script.byte() % 4), script.bytes());
            out.extend_from_slice(&channel_data::header(number, payload.len() as u16));
            out.extend_from_slice(payload);
            out.resize(out.len().next_multiple_of(4), 0);
        } else {
            let method = Method::new(6).unwrap_or(Method::BINDING);
            MessageWriter::new(&mut out, Class::Indication, method, TransactionId([0; 12]))
                .xor_address(AttributeType(0x12), peer(script.byte()))
                .attribute(AttributeType(0x13), script.bytes())
                .fingerprint();
        }
        if argument & 0x20 != 0 {
            script.damage(&mut out);
        }
        if !out.is_empty() {
            self.input(argument, &mut out);
        }
    }

    fn peer_data(&mut self, argument: u8, script: &mut Script<'_>) {
        let Some(relayed) = self.clients[usize::from(argument >> 4) % 4].relayed else { return };
        let mut bytes = script.bytes().to_vec();
        self.server.handle_input(Datagram::udp(relayed, peer(argument), &mut bytes), self.now);
    }

    fn input(&mut self, who: u8, payload: &mut [u8]) {
        let (protocol, remote) = client(who);
        if who % 4 == 3 {
            self.strangers.0 += payload.len();
        }
        if payload.is_empty() {
            let who = &mut self.clients[usize::from(who % 4)];
            *who = Client { nonce: std::mem::take(&mut who.nonce), ..Client::default() };
        }
        let datagram = Datagram { protocol, local: listening(), remote, ecn: Ecn::NotEct, payload };
        self.server.handle_input(datagram, self.now);
    }

    /// A loop does all that is due, and then sleeps.
    fn settle(&mut self) {
        self.server.handle_timeout(self.now);
        for turn in 0.. {
            let mut out = std::mem::take(&mut self.out);
            let sent = self.server.poll_transmit(self.now, &mut out);
            if let Some(transmit) = &sent {
                self.judge(transmit, &mut out);
            }
            self.out = out;
            let event = self.server.poll_event();
            event.iter().for_each(|event| self.obey(event));
            let is_asleep = self.server.poll_timeout(self.now).is_none_or(|at| at > self.now);
            if sent.is_none() && event.is_none() {
                if is_asleep {
                    break;
                }
                self.server.handle_timeout(self.now);
            }
            assert!(turn < 10_000, "spins");
        }
        let (sent, told) = self.strangers;
        assert!(told <= 3 * sent, "{told} bytes for {sent}");
    }

    fn obey(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::RelayRequested { relayed, .. } => match self.driver {
                0 => {
                    assert!(self.sockets.insert(*relayed), "it is open");
                    self.server.relay_opened(*relayed, true);
                }
                1 => self.server.relay_opened(*relayed, false),
                _ => {}
            },
            ServerEvent::RelayClosed { relayed, .. } => {
                self.sockets.remove(relayed);
                for who in self.clients.iter_mut().filter(|who| who.relayed == Some(*relayed)) {
                    (who.relayed, who.permitted) = (None, BTreeMap::new());
                }
            }
            event => panic!("{event:?}"),
        }
    }

    fn judge(&mut self, transmit: &Transmit, out: &mut [u8]) {
        if transmit.local != listening() {
            return self.judge_data(transmit);
        }
        let number = (0..4).find(|number| client(*number) == (transmit.protocol, transmit.remote));
        let number = number.unwrap_or_else(|| panic!("to whom? {transmit:?}"));
        if number == 3 {
            self.strangers.1 += out.len();
        }
        let who = &mut self.clients[usize::from(number)];
        if transmit.protocol == Protocol::Udp {
            return who.hear(out, self.now);
        }
        if out.is_empty() {
            *who = Client { nonce: std::mem::take(&mut who.nonce), ..Client::default() };
            return;
        }
        let (mut cutter, now) = (std::mem::take(&mut who.cutter), self.now);
        cutter.read(out, |message| who.hear(message, now)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(cutter.held_len(), 0, "messages are whole");
        who.cutter = cutter;
    }

    /// Something goes to a peer.
    fn judge_data(&self, transmit: &Transmit) {
        let (local, remote) = (transmit.local, transmit.remote);
        assert!(transmit.protocol == Protocol::Udp && self.sockets.contains(&local), "from {local}");
        let who =
            self.clients.iter().find(|who| who.relayed == Some(local)).unwrap_or_else(|| panic!("whose is {local}?"));
        assert!(who.permitted.get(&remote.ip()).is_some_and(|until| *until > self.now), "to {remote}");
        let is_forbidden = (0..5).map(peer).any(|forbidden| forbidden == remote);
        let is_own = remote.ip() == listening().ip();
        assert!(!is_forbidden && (!is_own || self.sockets.contains(&remote)), "to {remote}");
    }
}

impl Client {
    fn hear(&mut self, bytes: &[u8], now: Instant) {
        let is_permitted = |ip| self.permitted.get(&ip).is_some_and(|until| *until > now);
        if channel_data::is_likely(bytes) {
            assert!(channel_data::decode(bytes).is_some() && self.permitted.values().any(|until| *until > now));
            return;
        }
        let message = Message::decode(bytes).unwrap_or_else(|error| panic!("{error}: {bytes:02x?}"));
        let address = |kind| {
            let value = message.iter().find(|(found, _)| *found == AttributeType(kind)).map(|(_, value)| value);
            value.and_then(|value| message.xor_address(value))
        };
        match (message.class(), message.method().number()) {
            (Class::Indication, 7) => assert!(address(0x12).is_some_and(|peer| is_permitted(peer.ip())), "from whom?"),
            (Class::ErrorResponse, _) => {
                self.nonce = message.attributes.nonce.map_or(std::mem::take(&mut self.nonce), <[u8]>::to_vec);
            }
            (Class::SuccessResponse, 3) => self.relayed = address(0x16),
            (Class::SuccessResponse, 8 | 9) => {
                let peers = self.asked.get(&message.transaction().0).cloned().unwrap_or_default();
                self.permitted.extend(peers.into_iter().map(|ip| (ip, now + PERMISSION)));
            }
            (Class::SuccessResponse, 1 | 4) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_get_where_they_want() {
        let player = play(include_bytes!("../corpus/turn_server/relayed"));
        let stats = player.server.stats();
        assert!(stats.relayed_to_peers >= 3 && stats.relayed_to_clients >= 2, "{stats:?}");
        let player = play(include_bytes!("../corpus/turn_server/streams"));
        let stats = player.server.stats();
        assert!(stats.relayed_to_peers >= 1 && player.server.streams() == 0, "{stats:?}");
        let player = play(include_bytes!("../corpus/turn_server/refused"));
        let stats = player.server.stats();
        assert!(stats.refused >= 4 && stats.challenged >= 3 && stats.forbidden + stats.no_permission >= 2, "{stats:?}");
        let player = play(include_bytes!("../corpus/turn_server/expired"));
        assert_eq!((player.server.allocations(), player.sockets.len()), (0, 0));
        assert!(player.server.stats().granted >= 3, "{:?}", player.server.stats());
    }
}

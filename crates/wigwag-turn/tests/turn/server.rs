//! A TURN server for tests, by the letter of RFC 8656 as far as clients can see it: it forgets what is not refreshed, relays nothing
//! without permission, and believes nobody who does not know the nonce and the password.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Protocol, Transmit};
use wigwag_stun::{AttributeType, Class, ErrorCode, IntegrityKey, Message, MessageWriter, Method, TransactionId};

const REALM: &str = "example.org";
pub(crate) const USERNAME: &str = "alice";
pub(crate) const PASSWORD: &str = "secret";
const PERMISSION: Duration = Duration::from_secs(300);
const CHANNEL: Duration = Duration::from_secs(600);

const ALLOCATE: u16 = 3;
const REFRESH: u16 = 4;
const SEND: u16 = 6;
const DATA: u16 = 7;
const CREATE_PERMISSION: u16 = 8;
const CHANNEL_BIND: u16 = 9;

fn kind(number: u16) -> AttributeType {
    AttributeType(number)
}

struct Allocation {
    /// The request that it was made by, which may come again.
    made_by: TransactionId,
    relayed: SocketAddr,
    until: Instant,
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, (SocketAddr, Instant)>,
}

/// What a test may have the server do otherwise.
pub(crate) struct Server {
    address: SocketAddr,
    /// When it was asked first.
    begin: Option<Instant>,
    relayed: Vec<SocketAddr>,
    allocations: BTreeMap<SocketAddr, Allocation>,
    owed: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// The streams of clients, and what has come on them of messages that are not whole.
    streams: BTreeMap<SocketAddr, (Protocol, Vec<u8>)>,
    /// Those that were closed: what comes late on them is for nobody.
    closed: BTreeSet<SocketAddr>,
    /// So much of a stream is sent at once.
    pub(crate) piece_len: usize,
    /// Whether streams are refused.
    pub(crate) refuses_streams: bool,
    /// How long an allocation lives.
    pub(crate) lifetime: Duration,
    /// How long a nonce is good.
    pub(crate) nonce_lifetime: Duration,
    /// Answers requests of this method with this error.
    pub(crate) refuses: Option<(u16, u16)>,
    /// Whether those refusals are signed.
    pub(crate) signs_errors: bool,
    /// Sends whoever wants an allocation elsewhere.
    pub(crate) alternate: Option<SocketAddr>,
    /// Answers nothing any more.
    pub(crate) is_dead: bool,
    /// Requests by method, retransmissions included; and relayed datagrams to and from peers.
    pub(crate) requests: BTreeMap<u16, u64>,
    pub(crate) relayed_in_channels: u64,
    pub(crate) relayed_in_indications: u64,
    pub(crate) dropped: u64,
}

fn xor(message: &Message<'_>, number: u16) -> Option<SocketAddr> {
    value(message, number).and_then(|value| message.xor_address(value))
}

fn value<'a>(message: &Message<'a>, number: u16) -> Option<&'a [u8]> {
    message.iter().find(|(found, _)| *found == kind(number)).map(|(_, value)| value)
}

impl Server {
    /// A server at `address` that hands out these.
    pub(crate) fn new(address: SocketAddr, relayed: &[SocketAddr]) -> Self {
        Self {
            address,
            begin: None,
            relayed: relayed.to_vec(),
            allocations: BTreeMap::new(),
            owed: VecDeque::new(),
            streams: BTreeMap::new(),
            closed: BTreeSet::new(),
            piece_len: usize::MAX,
            refuses_streams: false,
            lifetime: Duration::from_secs(600),
            nonce_lifetime: Duration::from_secs(3600),
            refuses: None,
            signs_errors: true,
            alternate: None,
            is_dead: false,
            requests: BTreeMap::new(),
            relayed_in_channels: 0,
            relayed_in_indications: 0,
            dropped: 0,
        }
    }

    pub(crate) fn allocations(&self) -> usize {
        self.allocations.len()
    }

    /// Who may be reached by anybody.
    pub(crate) fn permissions(&self) -> Vec<IpAddr> {
        self.allocations.values().flat_map(|allocation| allocation.permissions.keys().copied()).collect()
    }

    pub(crate) fn count(&self, method: u16) -> u64 {
        self.requests.get(&method).copied().unwrap_or_default()
    }

    /// It is started anew, and knows nothing.
    pub(crate) fn forget(&mut self) {
        self.allocations.clear();
    }

    fn key() -> IntegrityKey {
        IntegrityKey::long_term(USERNAME, REALM, PASSWORD)
    }

    /// The time, in lifetimes of a nonce.
    fn nonce(&self, now: Instant) -> String {
        let age = now.saturating_duration_since(self.begin.unwrap_or(now));
        format!("nonce{}", age.as_millis() / self.nonce_lifetime.as_millis().max(1))
    }

    #[expect(clippy::needless_pass_by_value, reason = "a datagram is handed over")]
    pub(crate) fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.begin.get_or_insert(now);
        self.allocations.retain(|_, allocation| {
            allocation.channels.retain(|_, (_, until)| *until + PERMISSION > now);
            allocation.until > now
        });
        if self.is_dead {
            return;
        }
        let (local, remote, payload) = (datagram.local, datagram.remote, datagram.payload.to_vec());
        if datagram.protocol != Protocol::Udp {
            return self.read_stream(datagram.protocol, remote, &payload, now);
        }
        if local != self.address {
            return self.relay_to_client(local, remote, &payload, now);
        }
        self.read(&payload, remote, now);
    }

    fn read(&mut self, payload: &[u8], remote: SocketAddr, now: Instant) {
        match Message::decode(payload) {
            Ok(message) => self.serve(&message, remote, now),
            Err(_) => self.relay_channel_data(payload, remote, now),
        }
    }

    /// What a client has is gone with its stream.
    fn read_stream(&mut self, protocol: Protocol, client: SocketAddr, bytes: &[u8], now: Instant) {
        if self.closed.contains(&client) {
            return;
        }
        if bytes.is_empty() || self.refuses_streams {
            self.allocations.remove(&client);
            if self.streams.remove(&client).is_none() && !bytes.is_empty() {
                self.streams.insert(client, (protocol, vec![]));
                self.owed.push_back((self.address, client, vec![]));
            }
            return;
        }
        self.streams.entry(client).or_insert((protocol, vec![])).1.extend_from_slice(bytes);
        while let Some((_, held)) = self.streams.get_mut(&client) {
            let Some(&[first, _, high, low]) = held.first_chunk() else { return };
            let len = usize::from(u16::from_be_bytes([high, low]));
            let len = if first < 0x40 { 20 + len } else { 4 + len.next_multiple_of(4) };
            if held.len() < len {
                return;
            }
            let message: Vec<u8> = held.drain(..len).collect();
            self.read(&message, client, now);
        }
    }

    /// Streams that are open.
    pub(crate) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Sends these bytes on all streams; none closes them.
    pub(crate) fn send_on_streams(&mut self, bytes: &[u8]) {
        self.owed.extend(self.streams.keys().map(|client| (self.address, *client, bytes.to_vec())));
    }

    fn relay_to_client(&mut self, relayed: SocketAddr, peer: SocketAddr, payload: &[u8], now: Instant) {
        let found = self.allocations.iter().find(|(_, allocation)| allocation.relayed == relayed);
        let permitted =
            found.filter(|(_, allocation)| allocation.permissions.get(&peer.ip()).is_some_and(|at| *at > now));
        let Some((client, allocation)) = permitted else {
            self.dropped += 1;
            return;
        };
        let bound = allocation.channels.iter().find(|(_, (bound, until))| *bound == peer && *until > now);
        let mut out = Vec::new();
        if let Some((number, _)) = bound {
            out.extend_from_slice(&number.to_be_bytes());
            out.extend_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
            out.extend_from_slice(payload);
            if self.streams.contains_key(client) {
                out.resize(out.len().next_multiple_of(4), 0xEE);
            }
            self.relayed_in_channels += 1;
        } else {
            let id = TransactionId([7; 12]);
            MessageWriter::new(&mut out, Class::Indication, Method::new(DATA).unwrap(), id)
                .xor_address(kind(0x12), peer)
                .attribute(kind(0x13), payload)
                .fingerprint();
            self.relayed_in_indications += 1;
        }
        self.owed.push_back((self.address, *client, out));
    }

    fn relay_channel_data(&mut self, payload: &[u8], client: SocketAddr, now: Instant) {
        let Some(&[a, b, c, d]) = payload.first_chunk() else { return };
        let (number, len) = (u16::from_be_bytes([a, b]), usize::from(u16::from_be_bytes([c, d])));
        let allocation = self.allocations.get(&client);
        // RFC 8656 §12.6: a channel that is bound has a permission, which ends before it does if nobody renews it.
        let is_permitted = |allocation: &Allocation, peer: &SocketAddr| {
            allocation.permissions.get(&peer.ip()).is_some_and(|until| *until > now)
        };
        let bound = allocation.and_then(|allocation| {
            let (peer, until) = allocation.channels.get(&number)?;
            is_permitted(allocation, peer).then_some((allocation.relayed, (peer, until)))
        });
        match bound {
            Some((relayed, (peer, until))) if *until > now && payload.len() >= 4 + len => {
                self.owed.push_back((relayed, *peer, payload[4..][..len].to_vec()));
                self.relayed_in_channels += 1;
            }
            _ => self.dropped += 1,
        }
    }

    fn serve(&mut self, message: &Message<'_>, client: SocketAddr, now: Instant) {
        let method = message.method().number();
        if message.class() == Class::Indication && method == SEND {
            return self.send(message, client, now);
        }
        if message.class() != Class::Request {
            self.dropped += 1;
            return;
        }
        *self.requests.entry(method).or_default() += 1;
        let mut out = Vec::new();
        if method == Method::BINDING.number() {
            MessageWriter::success(&mut out, message.transaction(), client).fingerprint();
            return self.owed.push_back((self.address, client, out));
        }
        let begin = |out, class| MessageWriter::new(out, class, message.method(), message.transaction());
        match self.judge(message, client, now) {
            Err(code @ (401 | 438)) => begin(&mut out, Class::ErrorResponse)
                .error_code(ErrorCode { code, reason: "Who are you?" })
                .attribute(AttributeType::REALM, REALM.as_bytes())
                .attribute(AttributeType::NONCE, self.nonce(now).as_bytes())
                .fingerprint(),
            Err(code) => {
                let mut writer = begin(&mut out, Class::ErrorResponse).error_code(ErrorCode { code, reason: "No" });
                if let Some(alternate) = self.alternate.filter(|_| code == 300) {
                    let SocketAddr::V4(v4) = alternate else { panic!("IPv4") };
                    let [p0, p1] = v4.port().to_be_bytes();
                    let [a, b, c, d] = v4.ip().octets();
                    writer = writer.attribute(kind(0x8023), &[0, 1, p0, p1, a, b, c, d]);
                }
                match self.signs_errors {
                    true => writer.integrity(&Self::key()).fingerprint(),
                    false => writer.fingerprint(),
                }
            }
            Ok(answer) => {
                let mut writer = begin(&mut out, Class::SuccessResponse);
                for (number, value) in answer {
                    writer = match value {
                        Answer::Address(address) => writer.xor_address(kind(number), address),
                        Answer::Seconds(seconds) => writer.attribute(kind(number), &seconds.to_be_bytes()),
                    };
                }
                writer.integrity(&Self::key()).fingerprint();
            }
        }
        self.owed.push_back((self.address, client, out));
    }

    fn judge(&mut self, message: &Message<'_>, client: SocketAddr, now: Instant) -> Result<Vec<(u16, Answer)>, u16> {
        if !message.has_integrity() {
            return Err(401);
        }
        if message.attributes.nonce != Some(self.nonce(now).as_bytes()) {
            return Err(438);
        }
        let is_known = (message.attributes.username, message.attributes.realm) == (Some(USERNAME), Some(REALM));
        if !is_known || !message.is_authentic(&Self::key()) {
            return Err(401);
        }
        let method = message.method().number();
        if let Some((_, code)) = self.refuses.filter(|(refused, _)| *refused == method) {
            return Err(code);
        }
        let seconds = u32::try_from(self.lifetime.as_secs()).unwrap();
        match method {
            ALLOCATE if self.alternate.is_some() => Err(300),
            ALLOCATE if value(message, 0x19) != Some(&[17, 0, 0, 0]) => Err(442),
            ALLOCATE if self.allocations.contains_key(&client) => {
                // RFC 8656 §7.2: a request that comes again is answered as it was.
                let known = self.allocations.get(&client).filter(|known| known.made_by == message.transaction());
                known.map(|known| success(known.relayed, client, seconds)).ok_or(437)
            }
            ALLOCATE => {
                let is_free = |address: &&SocketAddr| self.allocations.values().all(|other| other.relayed != **address);
                let relayed = *self.relayed.iter().find(is_free).ok_or(508u16)?;
                let (permissions, channels) = (BTreeMap::new(), BTreeMap::new());
                let until = now + self.lifetime;
                let made_by = message.transaction();
                self.allocations.insert(client, Allocation { made_by, relayed, until, permissions, channels });
                Ok(success(relayed, client, seconds))
            }
            REFRESH if value(message, 0x0D) == Some(&[0; 4]) => {
                self.allocations.remove(&client).ok_or(437u16)?;
                Ok(vec![(0x0D, Answer::Seconds(0))])
            }
            REFRESH => {
                self.allocations.get_mut(&client).ok_or(437u16)?.until = now + self.lifetime;
                Ok(vec![(0x0D, Answer::Seconds(seconds))])
            }
            CREATE_PERMISSION => {
                let peer = xor(message, 0x12).ok_or(400u16)?;
                let allocation = self.allocations.get_mut(&client).ok_or(437u16)?;
                allocation.permissions.insert(peer.ip(), now + PERMISSION);
                Ok(vec![])
            }
            CHANNEL_BIND => {
                let peer = xor(message, 0x12).ok_or(400u16)?;
                let Some([a, b, _, _]) = value(message, 0x0C) else { return Err(400) };
                let number = u16::from_be_bytes([*a, *b]);
                let allocation = self.allocations.get_mut(&client).ok_or(437u16)?;
                let clashes =
                    |(other, (bound, _)): (&u16, &(SocketAddr, Instant))| (*other == number) != (*bound == peer);
                if !(0x4000..=0x4FFF).contains(&number) || allocation.channels.iter().any(clashes) {
                    return Err(400);
                }
                allocation.channels.insert(number, (peer, now + CHANNEL));
                allocation.permissions.insert(peer.ip(), now + PERMISSION);
                Ok(vec![])
            }
            _ => Err(400),
        }
    }

    fn send(&mut self, message: &Message<'_>, client: SocketAddr, now: Instant) {
        let found = xor(message, 0x12).zip(value(message, 0x13)).zip(self.allocations.get(&client));
        match found {
            Some(((peer, data), allocation))
                if allocation.permissions.get(&peer.ip()).is_some_and(|until| *until > now) =>
            {
                self.owed.push_back((allocation.relayed, peer, data.to_vec()));
                self.relayed_in_indications += 1;
            }
            _ => self.dropped += 1,
        }
    }

    pub(crate) fn poll_transmit(&mut self, out: &mut Vec<u8>) -> Option<Transmit> {
        let (local, remote, mut payload) = self.owed.pop_front()?;
        let stream = self.streams.get(&remote).filter(|_| local == self.address).map(|(protocol, _)| *protocol);
        let Some(protocol) = stream else {
            *out = payload;
            return Some(Transmit::udp(local, remote, out.len()));
        };
        let rest = payload.split_off(self.piece_len.min(payload.len()));
        if !rest.is_empty() {
            self.owed.push_front((local, remote, rest));
        }
        if payload.is_empty() {
            self.streams.remove(&remote);
            self.closed.insert(remote);
            self.allocations.remove(&remote);
        }
        *out = payload;
        Some(Transmit { protocol, ..Transmit::udp(local, remote, out.len().max(1)) })
    }

    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        (!self.owed.is_empty()).then_some(now)
    }
}

fn success(relayed: SocketAddr, client: SocketAddr, seconds: u32) -> Vec<(u16, Answer)> {
    let [relayed, mapped] = [relayed, client].map(Answer::Address);
    vec![(0x16, relayed), (0x20, mapped), (0x0D, Answer::Seconds(seconds))]
}

enum Answer {
    Address(SocketAddr),
    Seconds(u32),
}

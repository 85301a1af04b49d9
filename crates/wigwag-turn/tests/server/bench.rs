//! A server with a driver that has sockets, and clients whose every byte a test writes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Ecn, Protocol, Seed, Transmit};
use wigwag_stun::{AttributeType, Class, IntegrityKey, Message, MessageWriter, Method, TransactionId};
use wigwag_turn::{Credentials, Server, ServerConfig, ServerEvent, channel_data};

pub(crate) const ALLOCATE: u16 = 3;
pub(crate) const REFRESH: u16 = 4;
pub(crate) const CREATE_PERMISSION: u16 = 8;
pub(crate) const CHANNEL_BIND: u16 = 9;

pub(crate) const CHANNEL_NUMBER: u16 = 0x0C;
pub(crate) const LIFETIME: u16 = 0x0D;
pub(crate) const PEER: u16 = 0x12;
pub(crate) const DATA: u16 = 0x13;
pub(crate) const RELAYED: u16 = 0x16;
pub(crate) const FAMILY: u16 = 0x17;
pub(crate) const EVEN_PORT: u16 = 0x18;
pub(crate) const TRANSPORT: u16 = 0x19;
pub(crate) const DONT_FRAGMENT: u16 = 0x1A;
pub(crate) const TOKEN: u16 = 0x22;
pub(crate) const ADDITIONAL_FAMILY: u16 = 0x8000;
pub(crate) const UDP: &[u8] = &[17, 0, 0, 0];

pub(crate) const REALM: &str = "example.org";
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Where the server listens.
pub(crate) fn listening() -> SocketAddr {
    at("203.0.113.1:3478")
}

/// One that relays on the same machine, for ann and bob.
pub(crate) fn config() -> ServerConfig {
    let relays: [IpAddr; 2] = ["203.0.113.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    let mut config = ServerConfig::new(REALM, [listening()], relays).unwrap();
    for name in ["ann", "bob"] {
        config.add_user(&Credentials::new(name, "secret"));
    }
    config
}

/// What a driver does when a socket is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    Opens,
    /// So many times not, then it does.
    Refuses(u32),
    SaysNothing,
}

pub(crate) struct Bench {
    pub(crate) server: Server,
    pub(crate) now: Instant,
    pub(crate) driver: Driver,
    pub(crate) sockets: BTreeSet<SocketAddr>,
    pub(crate) events: Vec<ServerEvent>,
    /// What was sent and nobody has looked at.
    pub(crate) sent: Vec<(Transmit, Vec<u8>)>,
    out: Vec<u8>,
}

/// Somebody who asks.
#[derive(Clone, Debug)]
pub(crate) struct Someone {
    pub(crate) protocol: Protocol,
    pub(crate) at: SocketAddr,
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) nonce: Option<Vec<u8>>,
    pub(crate) id: u64,
}

/// An answer, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answer(pub(crate) Vec<u8>);

pub(crate) type Attribute<'a> = (u16, Value<'a>);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Bytes(&'a [u8]),
    Address(SocketAddr),
}

pub(crate) fn bytes(kind: u16, value: &[u8]) -> Attribute<'_> {
    (kind, Value::Bytes(value))
}

pub(crate) fn peer(address: &str) -> Attribute<'static> {
    (PEER, Value::Address(at(address)))
}

pub(crate) fn write<'o>(mut writer: MessageWriter<'o>, attributes: &[Attribute<'_>]) -> MessageWriter<'o> {
    for (kind, value) in attributes {
        writer = match value {
            Value::Bytes(bytes) => writer.attribute(AttributeType(*kind), bytes),
            Value::Address(address) => writer.xor_address(AttributeType(*kind), *address),
        };
    }
    writer
}

impl Someone {
    pub(crate) fn new(name: &str, address: &str) -> Self {
        let (name, password) = (name.into(), "secret".into());
        Self { protocol: Protocol::Udp, at: at(address), name, password, nonce: None, id: 0 }
    }

    pub(crate) fn key(&self) -> IntegrityKey {
        IntegrityKey::long_term(&self.name, REALM, &self.password)
    }

    /// A request, signed as soon as the server has asked for that.
    pub(crate) fn request(&self, method: u16, attributes: &[Attribute<'_>]) -> Vec<u8> {
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.id.to_be_bytes());
        let mut out = Vec::new();
        let writer = MessageWriter::new(&mut out, Class::Request, Method::new(method).unwrap(), TransactionId(id));
        let writer = write(writer, attributes);
        match &self.nonce {
            Some(nonce) => {
                let writer = writer.username(&self.name).attribute(AttributeType::REALM, REALM.as_bytes());
                writer.attribute(AttributeType::NONCE, nonce).integrity(&self.key());
            }
            None => writer.fingerprint(),
        }
        out
    }
}

impl Answer {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::decode(&self.0).unwrap()
    }

    pub(crate) fn code(&self) -> u16 {
        self.message().attributes.error_code.map_or(0, |error| error.code)
    }

    pub(crate) fn value(&self, kind: u16) -> Option<Vec<u8>> {
        self.message().iter().find(|(found, _)| found.0 == kind).map(|(_, value)| value.to_vec())
    }

    pub(crate) fn relayed(&self) -> SocketAddr {
        self.message().xor_address(&self.value(RELAYED).unwrap()).unwrap()
    }

    pub(crate) fn seconds(&self) -> u32 {
        u32::from_be_bytes(self.value(LIFETIME).unwrap().try_into().unwrap())
    }
}

impl Bench {
    pub(crate) fn new(config: ServerConfig) -> Self {
        Self::seeded(config, 1)
    }

    pub(crate) fn seeded(config: ServerConfig, seed: u64) -> Self {
        let server = Server::new(config, Seed::for_test(seed));
        let (sockets, now) = (BTreeSet::new(), wigwag_sim::origin());
        Self { server, now, driver: Driver::Opens, sockets, events: vec![], sent: vec![], out: vec![] }
    }

    /// Something arrives, and all that follows from it.
    pub(crate) fn input(&mut self, protocol: Protocol, local: SocketAddr, remote: SocketAddr, payload: &[u8]) {
        let mut payload = payload.to_vec();
        let datagram = Datagram { protocol, local, remote, ecn: Ecn::Ect0, payload: &mut payload };
        self.server.handle_input(datagram, self.now);
        self.settle();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.server.handle_timeout(self.now);
        self.settle();
    }

    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            if let Some(event) = self.server.poll_event() {
                self.obey(&event);
                self.events.push(event);
            } else if let Some(transmit) = self.server.poll_transmit(self.now, &mut self.out) {
                self.sent.push((transmit, self.out.clone()));
            } else {
                let wake = self.server.poll_timeout(self.now);
                if wake.is_none_or(|wake| wake > self.now) {
                    return;
                }
                self.server.handle_timeout(self.now);
            }
        }
        panic!("it spins");
    }

    fn obey(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::RelayRequested { relayed, .. } => match &mut self.driver {
                Driver::Refuses(times @ 1..) => {
                    *times -= 1;
                    self.server.relay_opened(*relayed, false);
                }
                Driver::Opens | Driver::Refuses(_) => {
                    assert!(self.sockets.insert(*relayed), "{relayed} is open already");
                    self.server.relay_opened(*relayed, true);
                }
                Driver::SaysNothing => {}
            },
            ServerEvent::RelayClosed { relayed, .. } => _ = self.sockets.remove(relayed),
            event => panic!("{event:?}"),
        }
    }

    /// What was sent to somebody, and to nobody else.
    pub(crate) fn sent_to(&mut self, who: &Someone) -> Vec<Vec<u8>> {
        let sent = std::mem::take(&mut self.sent);
        let is_theirs = |transmit: &Transmit| {
            (transmit.protocol, transmit.local, transmit.remote) == (who.protocol, listening(), who.at)
        };
        assert!(sent.iter().all(|(transmit, _)| is_theirs(transmit)), "{sent:?}");
        sent.into_iter().map(|(_, bytes)| bytes).collect()
    }

    /// Sends a request as it is: the answer, if there is one.
    pub(crate) fn send(&mut self, who: &Someone, request: &[u8]) -> Option<Answer> {
        self.input(who.protocol, listening(), who.at, request);
        let mut sent = self.sent_to(who);
        assert!(sent.len() <= 1, "{sent:?}");
        sent.pop().map(Answer)
    }

    /// Asks as a client does: with a nonce when one is wanted, and with another.
    pub(crate) fn ask(&mut self, who: &mut Someone, method: u16, attributes: &[Attribute<'_>]) -> Answer {
        loop {
            who.id += 1;
            let request = who.request(method, attributes);
            let answer = self.send(who, &request).expect("an answer");
            let nonce = answer.message().attributes.nonce.map(<[u8]>::to_vec);
            if nonce.is_none() || answer.code() == 401 && who.nonce.is_some() {
                return answer;
            }
            who.nonce = nonce;
        }
    }

    /// Gets an address.
    pub(crate) fn allocate(&mut self, who: &mut Someone) -> SocketAddr {
        let answer = self.ask(who, ALLOCATE, &[bytes(TRANSPORT, UDP)]);
        assert_eq!(answer.code(), 0, "{answer:?}");
        answer.relayed()
    }

    /// Lets a peer through.
    pub(crate) fn permit(&mut self, who: &mut Someone, address: &str) -> u16 {
        self.ask(who, CREATE_PERMISSION, &[peer(address)]).code()
    }

    pub(crate) fn bind(&mut self, who: &mut Someone, number: u16, address: &str) -> u16 {
        let [a, b] = number.to_be_bytes();
        self.ask(who, CHANNEL_BIND, &[bytes(CHANNEL_NUMBER, &[a, b, 0, 0]), peer(address)]).code()
    }

    /// What goes to peers when a client sends this to one: from where, to whom, and what.
    pub(crate) fn client_sends(
        &mut self,
        who: &Someone,
        address: &str,
        data: &[u8],
    ) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        self.input(who.protocol, listening(), who.at, &send_indication(address, data));
        self.taken()
    }

    /// The same on a channel.
    pub(crate) fn on_channel(
        &mut self,
        who: &Someone,
        number: u16,
        data: &[u8],
    ) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        self.input(who.protocol, listening(), who.at, &channel(number, data));
        self.taken()
    }

    pub(crate) fn taken(&mut self) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        let sent = std::mem::take(&mut self.sent);
        sent.into_iter().map(|(transmit, bytes)| (transmit.local, transmit.remote, bytes)).collect()
    }

    /// What a client hears when a peer sends this: the peer, or the channel.
    pub(crate) fn peer_sends(&mut self, who: &Someone, relayed: SocketAddr, address: &str, data: &[u8]) -> Vec<Heard> {
        self.input(Protocol::Udp, relayed, at(address), data);
        self.sent_to(who).iter().map(|bytes| heard(bytes)).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Indication(SocketAddr, Vec<u8>),
    Channel(u16, Vec<u8>),
}

pub(crate) fn heard(bytes: &[u8]) -> Heard {
    if let Some((number, range)) = channel_data::decode(bytes) {
        return Heard::Channel(number, bytes[range].to_vec());
    }
    let message = Message::decode(bytes).unwrap();
    assert_eq!((message.class(), message.method().number()), (Class::Indication, 7));
    let values: BTreeMap<_, _> = message.iter().map(|(kind, value)| (kind.0, value)).collect();
    Heard::Indication(message.xor_address(values[&PEER]).unwrap(), values[&DATA].to_vec())
}

pub(crate) fn send_indication(address: &str, data: &[u8]) -> Vec<u8> {
    indication(&[peer(address), bytes(DATA, data)])
}

pub(crate) fn indication(attributes: &[Attribute<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let writer = MessageWriter::new(&mut out, Class::Indication, Method::new(6).unwrap(), TransactionId([9; 12]));
    write(writer, attributes).fingerprint();
    out
}

pub(crate) fn channel(number: u16, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len()).unwrap();
    [channel_data::header(number, len).as_slice(), data].concat()
}

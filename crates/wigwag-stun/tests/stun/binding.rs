//! A client and a server, and a network between them.

use expect_test::expect;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Seed, Transmit};
use wigwag_sim::contract::{self, Law, Load, Network, Subject};
use wigwag_sim::{A, Node, World, Z, address};
use wigwag_stun::{
    AttributeType, Class, Client, ClientConfig, ClientEvent, ErrorCode, Failure, Message, MessageWriter, TransactionId,
    answer,
};

const MS: Duration = Duration::from_millis(1);

/// A client at A, or a server at Z.
enum Host {
    Client { client: Box<Client>, events: Vec<ClientEvent> },
    Server { owed: Vec<(SocketAddr, Vec<u8>)>, dropped: u64 },
}

impl Host {
    fn client(seed: u64) -> Self {
        let client = Client::new(ClientConfig::new(address(A), address(Z)), Seed::for_test(seed));
        Self::Client { client: Box::new(client), events: Vec::new() }
    }

    fn server() -> Self {
        Self::Server { owed: Vec::new(), dropped: 0 }
    }

    fn events(&self) -> &[ClientEvent] {
        match self {
            Self::Client { events, .. } => events,
            Self::Server { .. } => &[],
        }
    }
}

impl Node for Host {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        match self {
            Self::Client { client, .. } => client.handle_input(datagram, now),
            Self::Server { owed, dropped } => {
                let mut out = Vec::new();
                match answer(datagram.payload, datagram.remote, &mut out) {
                    true if owed.len() < 100 => owed.push((datagram.remote, out)),
                    _ => *dropped += 1,
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Self::Client { client, .. } = self {
            client.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        match self {
            Self::Client { client, .. } => client.poll_transmit(now, out),
            Self::Server { owed, .. } => {
                let (to, answer) = owed.pop()?;
                *out = answer;
                Some(Transmit::udp(address(Z), to, out.len()))
            }
        }
    }

    fn poll_event(&mut self) -> bool {
        let Self::Client { client, events } = self else { return false };
        let event = client.poll_event();
        let has_event = event.is_some();
        events.extend(event);
        has_event
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Client { client, .. } => client.poll_timeout(now),
            Self::Server { owed, .. } => (!owed.is_empty()).then_some(now),
        }
    }
}

fn world(seed: u64) -> World<Host> {
    World::pair(seed, [Host::client(seed), Host::server()])
}

fn dissect(payload: &[u8]) -> String {
    Message::decode(payload).map_or("?".into(), |message| format!("{:?}", message.class()))
}

#[test]
fn a_client_is_told_its_address() {
    let mut world = world(1);
    world.run();
    let mapped = ClientEvent::Mapped { address: address(A), round_trip_time: Some(40 * MS) };
    assert_eq!(world[A].events(), [mapped]);
    expect![[r#"
         0 ms  A → Z  Request
        20 ms  A ← Z  SuccessResponse
    "#]]
    .assert_eq(&world.ladder(dissect));
}

/// RFC 8489 §6.2.1: "requests would be sent at times 0 ms, 500 ms, 1500 ms, 3500 ms, 7500 ms, 15500 ms, and 31500 ms. If
/// the client has not received a response after 39500 ms, the client will consider the transaction to have timed out."
#[test]
fn requests_are_sent_at_the_times_of_the_rfc() {
    let mut world = world(1);
    world.link(A, Z).loss(100.0);
    world.run_until(|world| !world[A].events().is_empty(), Duration::from_secs(60));
    let sent: Vec<_> = world.trace().records().iter().map(|record| record.at.as_millis()).collect();
    assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(world.age(), 39_500 * MS);
    assert_eq!(world[A].events(), [ClientEvent::Failed(Failure::TimedOut)]);
    let same: std::collections::BTreeSet<_> = world.trace().records().iter().map(|r| r.payload.clone()).collect();
    assert_eq!(same.len(), 1, "a request is sent again as it was");
}

#[test]
fn an_answer_to_a_retransmission_tells_no_time() {
    let mut world = world(1);
    world.link(A, Z).drop_nth(1);
    world.run();
    assert_eq!(world[A].events(), [ClientEvent::Mapped { address: address(A), round_trip_time: None }]);
}

fn feed(client: &mut Client, from: SocketAddr, bytes: &[u8]) {
    client.handle_input(Datagram::udp(address(A), from, &mut bytes.to_vec()), wigwag_sim::origin());
}

/// A client that has asked, and its request.
fn asking() -> (Client, Vec<u8>) {
    let Host::Client { mut client, .. } = Host::client(1) else { unreachable!() };
    let mut request = Vec::new();
    assert!(client.poll_transmit(wigwag_sim::origin(), &mut request).is_some());
    (*client, request)
}

#[test]
fn what_does_not_answer_the_request_is_dropped_and_counted() {
    let (mut client, request) = asking();
    let mut right = Vec::new();
    assert!(answer(&request, address(A), &mut right));
    for len in 0..right.len() {
        feed(&mut client, address(Z), &right[..len]);
    }
    assert_eq!(client.stats().malformed, right.len() as u64);
    feed(&mut client, address(A), &right);
    assert_eq!(client.stats().wrong_path, 1);
    let mut guessed = Vec::new();
    MessageWriter::success(&mut guessed, TransactionId([9; 12]), address(Z)).fingerprint();
    feed(&mut client, address(Z), &guessed);
    assert_eq!(client.stats().unknown_transaction, 1);
    feed(&mut client, address(Z), &request);
    assert_eq!((client.stats().malformed, client.poll_event()), (right.len() as u64 + 1, None));
    feed(&mut client, address(Z), &right);
    assert!(matches!(client.poll_event(), Some(ClientEvent::Mapped { .. })));
    feed(&mut client, address(Z), &right);
    assert_eq!((client.stats().after_end, client.poll_event()), (1, None));
    assert_eq!(client.stats().dropped(), right.len() as u64 + 4);
}

#[test]
fn a_refusal_and_a_useless_answer_end_the_question() {
    let (mut client, request) = asking();
    let id = Message::decode(&request).unwrap().transaction();
    let mut out = Vec::new();
    let error = ErrorCode { code: 500, reason: "Server Error" };
    MessageWriter::error(&mut out, id, error).fingerprint();
    feed(&mut client, address(Z), &out);
    let refused = Failure::Refused { code: 500, reason: "Server Error".into() };
    assert_eq!(client.poll_event(), Some(ClientEvent::Failed(refused)));

    let (mut client, _) = asking();
    out.clear();
    MessageWriter::new(&mut out, Class::SuccessResponse, wigwag_stun::Method::BINDING, id).fingerprint();
    feed(&mut client, address(Z), &out);
    assert_eq!(client.poll_event(), Some(ClientEvent::Failed(Failure::Useless)));

    // With an address, and something that must be understood and is not (RFC 8489 §6.3.3).
    let (mut client, _) = asking();
    out.clear();
    MessageWriter::success(&mut out, id, address(A)).attribute(AttributeType(0x7FFF), &[]).fingerprint();
    feed(&mut client, address(Z), &out);
    assert_eq!(client.poll_event(), Some(ClientEvent::Failed(Failure::Useless)));
    assert_eq!(client.poll_timeout(wigwag_sim::origin()), None);
}

/// Whoever asks in another's name must not gain much by it.
#[test]
fn no_answer_is_much_longer_than_its_request() {
    let v4: SocketAddr = "192.0.2.1:5000".parse().unwrap();
    let v6: SocketAddr = "[2001:db8::1]:5000".parse().unwrap();
    for unknown in 0..20u16 {
        for has_fingerprint in [false, true] {
            let mut request = Vec::new();
            let mut writer = MessageWriter::request(&mut request, TransactionId([1; 12]));
            for kind in 0..unknown {
                writer = writer.attribute(AttributeType(0x7000 + kind), b"");
            }
            if has_fingerprint {
                writer.fingerprint();
            }
            for (from, most) in [(v4, 16), (v6, 22)] {
                let mut out = Vec::new();
                assert!(answer(&request, from, &mut out));
                assert!(out.len() * 10 <= request.len() * most, "{} for {}", out.len(), request.len());
                let message = Message::decode(&out).unwrap();
                assert_eq!(message.has_fingerprint(), has_fingerprint);
                assert_eq!(message.attributes.error_code.map(|error| error.code), (unknown > 0).then_some(420));
            }
        }
    }
}

#[test]
fn only_binding_requests_are_answered() {
    let from = address(A);
    for class in [Class::Indication, Class::SuccessResponse, Class::ErrorResponse] {
        let mut bytes = Vec::new();
        MessageWriter::new(&mut bytes, class, wigwag_stun::Method::BINDING, TransactionId([1; 12])).fingerprint();
        assert!(!answer(&bytes, from, &mut Vec::new()));
    }
    let mut out = b"as it was".to_vec();
    let allocate = wigwag_stun::Method::new(3).unwrap();
    let mut bytes = Vec::new();
    MessageWriter::new(&mut bytes, Class::Request, allocate, TransactionId([1; 12])).fingerprint();
    assert!(!answer(&bytes, from, &mut out) && !answer(b"", from, &mut out));
    assert!(!answer(&asking().1, "10.0.0.1:0".parse().unwrap(), &mut out));
    assert_eq!(out, b"as it was");
}

impl Subject for Host {
    const UNCHECKED: &'static [(Law, &'static str)] = &[
        (Law::PacketsAreOwed, "a message is written whole: there is no limit to keep to"),
        (Law::CostFollowsWork, "it has no parts"),
    ];
    const COMMANDS: usize = 0;
    const NETWORK: Network = Network::Lossy;

    fn pair(seed: u64, _now: Instant) -> [Self; 2] {
        [Self::client(seed), Self::server()]
    }

    fn command(&mut self, _n: usize) -> bool {
        true
    }

    fn outcome(&self) -> String {
        let address = |event: &ClientEvent| match event {
            ClientEvent::Mapped { address, .. } => address.to_string(),
            event => format!("{event:?}"),
        };
        format!("{:?}", self.events().iter().map(address).collect::<Vec<_>>())
    }

    fn retransmitted(&self) -> u64 {
        match self {
            Self::Client { client, .. } => client.stats().requests_sent.saturating_sub(1),
            Self::Server { .. } => 0,
        }
    }

    fn dropped(&self) -> Option<u64> {
        Some(match self {
            Self::Client { client, .. } => client.stats().dropped(),
            Self::Server { dropped, .. } => *dropped,
        })
    }

    fn load(&self) -> Option<Load> {
        let held = match self {
            Self::Client { .. } => 0,
            Self::Server { owed, .. } => owed.len(),
        };
        Some(Load { held, bound: 100 })
    }
}

#[test]
fn the_client_keeps_the_laws() {
    contract::check::<Host>();
}

const _: () = contract::is_send_and_sync::<Client>();

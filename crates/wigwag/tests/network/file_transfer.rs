//! The transfer of `examples/file_transfer`, over paths that lose, and vanish.

#[path = "../../examples/file_transfer/transfer.rs"]
mod transfer;

use crate::common::{config, connection};
use std::io::{Cursor, Read};
use std::time::{Duration, Instant};
use transfer::{Outcome, Receiver, Sender};
use wigwag::sansio::{Datagram, Transmit};
use wigwag::{Config, ConnectionState, DataChannelInit, Event, PeerConnection};
use wigwag_sim::{A, Host, Node, World, Z, seeds};

const S: Duration = Duration::from_secs(1);
/// A seed takes a second here.
const SEEDS_MAX: usize = 40;

fn contents(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 251 + at) as u8).collect()
}

enum Role {
    Sends(Sender<Box<dyn Read + Send>>),
    Receives(Receiver<Vec<u8>>),
}

/// One end of a connection, and what it does there.
struct Party {
    connection: PeerConnection,
    role: Role,
    outcome: Option<Outcome>,
    states: Vec<ConnectionState>,
    is_over: bool,
    /// Parts of messages, times that the channel had enough, and that `send` was refused.
    parts: u32,
    lows: u32,
    refusals: u32,
    waits_max: usize,
    /// What the sender offers.
    is_offer_due: bool,
}

impl Node for Party {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.connection.handle_input(datagram, now);
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        self.connection.poll_transmit(now, out)
    }
    fn poll_event(&mut self) -> bool {
        let Some(event) = self.connection.poll_event() else { return false };
        match &event {
            Event::ConnectionStateChanged(state) => self.states.push(*state),
            Event::NegotiationNeeded => self.is_offer_due = true,
            Event::MessagePart { .. } => self.parts += 1,
            Event::BufferedAmountLow(_) => self.lows += 1,
            Event::Writable => self.refusals += 1,
            Event::ChannelClosed(_) if matches!(self.role, Role::Sends(_)) => self.connection.close(),
            Event::Closed(_) => self.is_over = true,
            _ => {}
        }
        let outcome = match &mut self.role {
            Role::Sends(sender) => sender.handle_event(&mut self.connection, &event).unwrap(),
            Role::Receives(receiver) => receiver.handle_event(&mut self.connection, &event).unwrap(),
        };
        assert!(outcome.is_none() || self.outcome.is_none(), "told once");
        self.outcome = self.outcome.or(outcome);
        for (id, _) in self.connection.data_channels() {
            self.waits_max = self.waits_max.max(self.connection.buffered_amount(id));
        }
        true
    }
    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.connection.poll_timeout(now)
    }
}

fn party(seed: u64, host: Host, role: Role, adapt: impl Fn(Host, &mut Config)) -> Party {
    let mut config = config();
    config.partial_delivery_from = Some(32 << 10);
    adapt(host, &mut config);
    let mut connection = connection(seed, host, config);
    if host == A {
        connection.create_data_channel("report.bin", DataChannelInit::default().protocol("file")).unwrap();
    }
    let (states, parts, lows, refusals, waits_max) = (Vec::new(), 0, 0, 0, 0);
    Party {
        connection,
        role,
        outcome: None,
        states,
        is_over: false,
        parts,
        lows,
        refusals,
        waits_max,
        is_offer_due: false,
    }
}

/// A sends, Z receives, over a path of 20 ms that loses 1 %.
fn begin(seed: u64, file: Vec<u8>, receiver: Receiver<Vec<u8>>, adapt: impl Fn(Host, &mut Config)) -> World<Party> {
    let sender = Sender::new(Box::new(Cursor::new(file)) as Box<dyn Read + Send>);
    let a = party(seed, A, Role::Sends(sender), &adapt);
    let z = party(seed, Z, Role::Receives(receiver), &adapt);
    let mut world = World::pair(seed, [a, z]);
    world.links(A, Z, |link| {
        link.latency(Duration::from_millis(10)).jitter(Duration::from_millis(2)).loss(1.0);
    });
    world
}

/// Carries descriptions, until something is so.
fn run(world: &mut World<Party>, seconds: u32, until: impl Fn(&World<Party>) -> bool) {
    for _ in 0..seconds * 10 {
        if until(world) {
            return;
        }
        if std::mem::take(&mut world[A].is_offer_due) {
            let a = &mut world[A].connection;
            let offer = a.create_offer().unwrap();
            a.set_local_description(offer).unwrap();
            let offer = a.local_description().unwrap();
            let z = &mut world[Z].connection;
            z.set_remote_description(offer).unwrap();
            let answer = z.create_answer().unwrap();
            z.set_local_description(answer).unwrap();
            let answer = z.local_description().unwrap();
            world[A].connection.set_remote_description(answer).unwrap();
        }
        world.run_for(S / 10);
    }
    panic!("not within {seconds} s: {:?} {:?}", world[A].states, world[Z].states);
}

fn received(world: &World<Party>) -> &[u8] {
    match &world[Z].role {
        Role::Receives(receiver) => &receiver.file,
        Role::Sends(_) => &[],
    }
}

fn is_over(world: &World<Party>) -> bool {
    world[A].is_over && world[Z].is_over
}

#[test]
fn a_file_is_whole_at_the_other_end_and_never_in_memory() {
    for seed in seeds(2).take(SEEDS_MAX) {
        for (len, send_buffer) in [(0, 4 << 20), (1, 4 << 20), (5_000_001, 4 << 20), (5_000_001, 300 << 10)] {
            let file = contents(len);
            let mut world = begin(seed, file.clone(), Receiver::new(Vec::new()), |_, config| {
                config.send_buffer = send_buffer;
                config.receive_buffer = 1 << 20;
                config.negotiation.max_message_size = 0;
            });
            run(&mut world, 300, is_over);
            let whole = Some(Outcome::Whole(len as u64));
            assert_eq!((world[A].outcome, world[Z].outcome), (whole, whole));
            assert!(received(&world) == file);
            assert!(world[A].waits_max < (1 << 20) + (64 << 10), "{}", world[A].waits_max);
            if len > 1 {
                assert!(world[Z].parts > 50);
                assert!(world[A].lows > 3);
                assert_eq!(world[A].refusals > 3, send_buffer < 1 << 20);
            }
        }
    }
}

/// The path vanishes until both have given it up; ICE begins anew, and the association never knew.
#[test]
fn a_transfer_goes_on_when_ice_has_begun_anew() {
    for seed in seeds(2).take(SEEDS_MAX) {
        let file = contents(3_000_000);
        let mut world = begin(seed, file.clone(), Receiver::new(Vec::new()), |_, _| {});
        run(&mut world, 60, |world| received(world).len() > 1_000_000);
        world.links(A, Z, |link| {
            link.loss(100.0);
        });
        run(&mut world, 120, |world| world[A].states.last() == Some(&ConnectionState::Failed));
        let before = received(&world).len();
        assert!(before < 2_900_000);
        world.links(A, Z, |link| {
            link.loss(1.0);
        });
        world[A].connection.restart_ice().unwrap();
        run(&mut world, 200, is_over);
        assert_eq!(world[A].outcome, Some(Outcome::Whole(3_000_000)));
        assert!(received(&world) == file);
    }
}

/// The receiver keeps what it has, and says so on the next connection.
#[test]
fn a_transfer_goes_on_over_another_connection() {
    let file = contents(3_000_000);
    let mut world = begin(7, file.clone(), Receiver::new(Vec::new()), |_, _| {});
    run(&mut world, 60, |world| received(world).len() > 1_000_000);
    let role = std::mem::replace(&mut world[Z].role, Role::Receives(Receiver::new(Vec::new())));
    let Role::Receives(receiver) = role else { panic!("it receives") };
    let before = receiver.file.len();
    let mut world = begin(8, file.clone(), receiver, |_, _| {});
    run(&mut world, 60, is_over);
    assert_eq!(world[Z].outcome, Some(Outcome::Whole(3_000_000)));
    assert!(received(&world) == file && before > 1_000_000);
}

/// Bytes that are another file's.
#[test]
fn another_file_is_told_from_the_right_one() {
    let mut broken = contents(500_000);
    let mut world = begin(9, broken.clone(), Receiver::new(Vec::new()), |_, _| {});
    run(&mut world, 60, |world| received(world).len() > 100_000);
    let role = std::mem::replace(&mut world[Z].role, Role::Receives(Receiver::new(Vec::new())));
    let Role::Receives(receiver) = role else { panic!("it receives") };
    broken[50_000] ^= 1;
    let mut world = begin(10, broken, receiver, |_, _| {});
    run(&mut world, 60, is_over);
    assert_eq!((world[A].outcome, world[Z].outcome), (Some(Outcome::Broken), Some(Outcome::Broken)));
}

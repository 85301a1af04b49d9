//! Any two associations as the hosts of a simulated world.

use bytes::Bytes;
use sctp_stacks::{End, How, Options, Stack, State};
use std::time::{Duration, Instant};
use wigwag_sansio::{Datagram, Transmit};
use wigwag_sim::{A, Host, Node, Wire, World, Z};

/// An association that keeps what has arrived.
pub(crate) struct Peer {
    end: Box<dyn End>,
    /// Something has happened to it: others do not tell that they owe packets.
    is_asked: bool,
    pub(crate) received: Vec<(u16, Bytes)>,
    pub(crate) resets: Vec<u16>,
    wire: Wire,
}

impl Node for Peer {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        self.ask().handle_input(datagram.payload, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.ask().handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let transmit = self.wire.transmit(out, |_, out| self.end.poll_packet(now, out));
        self.is_asked &= transmit.is_some();
        transmit
    }

    fn poll_event(&mut self) -> bool {
        self.resets.extend(self.end.peer_resets());
        let message = self.end.poll_message();
        let is_some = message.is_some();
        self.received.extend(message);
        is_some
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        if self.is_asked { Some(now) } else { self.end.poll_timeout(now) }
    }
}

impl Peer {
    /// For what makes it send.
    pub(crate) fn ask(&mut self) -> &mut dyn End {
        self.is_asked = true;
        &mut *self.end
    }

    pub(crate) fn end(&self) -> &dyn End {
        &*self.end
    }
}

/// Who stands at A, and who at Z.
pub(crate) type Stacks = [Stack; 2];

/// The others of this run.
pub(crate) const OTHERS: &[Stack] = if cfg!(feature = "usrsctp") { Stack::COMPILED } else { Stack::OTHERS };

/// We and each other, at either end: A begins.
pub(crate) fn pairs() -> impl Iterator<Item = Stacks> {
    OTHERS.iter().flat_map(|other| [[Stack::Wigwag, *other], [*other, Stack::Wigwag]])
}

/// Of them, those in which either can do this.
pub(crate) fn pairs_that(can: fn(Stack) -> bool) -> impl Iterator<Item = Stacks> {
    pairs().filter(move |stacks| stacks.iter().all(|stack| can(*stack)))
}

/// Both, of whom neither has begun.
pub(crate) fn world(seed: u64, stacks: Stacks, options: Options) -> World<Peer> {
    let now = World::<Peer>::new(seed).now();
    let [wire_a, wire_z] = Wire::pair();
    let peer = |stack: Stack, n, wire| Peer {
        end: stack.end(options, 2 * seed + n, now),
        is_asked: false,
        received: vec![],
        resets: vec![],
        wire,
    };
    World::pair(seed, [peer(stacks[0], 0, wire_a), peer(stacks[1], 1, wire_z)])
}

/// Both, after A has connected to Z.
pub(crate) fn connected(seed: u64, stacks: Stacks, options: Options) -> World<Peer> {
    let mut world = world(seed, stacks, options);
    let now = world.now();
    world[A].ask().connect(now);
    until(&mut world, "connecting", 60, is_connected);
    world
}

pub(crate) fn is_connected(world: &World<Peer>) -> bool {
    [A, Z].iter().all(|host| world[*host].end().state() == State::Connected)
}

/// Lets time pass in steps, until it is so.
pub(crate) fn until(world: &mut World<Peer>, what: &str, seconds: u64, is_so: impl Fn(&World<Peer>) -> bool) {
    let end = world.age() + Duration::from_secs(seconds);
    while !is_so(world) {
        assert!(world.age() < end, "{what} took more than {seconds} s");
        world.run_for(Duration::from_millis(10));
    }
}

pub(crate) fn send(world: &mut World<Peer>, host: Host, stream: u16, data: &Bytes, how: How) -> bool {
    let now = world.now();
    world[host].ask().send(stream, data, how, now)
}

/// Different for each number.
pub(crate) fn message(number: usize, len: usize) -> Bytes {
    (0..len).map(|n| ((n * 31) ^ (number * 7) ^ (n >> 8)) as u8).collect::<Vec<u8>>().into()
}

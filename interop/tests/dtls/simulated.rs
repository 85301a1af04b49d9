//! A connection of ours with somebody else's in process: two hosts of a simulated network, in virtual time.

use crate::case::{Case, Closer, exported, in_order};
use crate::ours::MTU;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wigwag_dtls::{CloseReason, Connection, Event, SrtpKeys, Version};
use wigwag_sansio::{Datagram, Seed, Transmit};
use wigwag_sim::{A, Fate, Node, Wire, World, Z};

const LIMIT: Duration = Duration::from_secs(300);
/// A line that may have been lost is said again after this.
const AGAIN: Duration = Duration::from_millis(100);
/// How many lines each says to the other.
const LINES: u32 = 10;

/// Somebody else's connection.
pub(crate) trait Other {
    fn handle_input(&mut self, datagram: &[u8], now: Instant);
    fn handle_timeout(&mut self, now: Instant);
    /// A datagram that it wants to be sent.
    fn poll_transmit(&mut self) -> Option<Vec<u8>>;
    /// Whether there is one.
    fn owes(&self) -> bool;
    /// When it wants to be woken.
    fn poll_timeout(&self) -> Option<Instant>;
    /// What it exports for SRTP, once it is connected.
    fn exported(&self) -> Option<Vec<u8>>;
    fn send(&mut self, data: &[u8], now: Instant);
    /// Everything that has come.
    fn received(&self) -> &[u8];
    fn close(&mut self, now: Instant);
    /// Whether our goodbye has come.
    fn is_closed(&self) -> bool;
    /// Whether it acknowledges again what comes again (RFC 9147 §7.1).
    fn repeats_acknowledgements(&self) -> bool {
        true
    }
}

pub(crate) struct Ours {
    connection: Connection,
    /// Records of application data that shall be sent.
    owed: VecDeque<Vec<u8>>,
    srtp: Option<SrtpKeys>,
    closed: Option<CloseReason>,
    received: Vec<u8>,
}

enum End {
    Ours(Box<Ours>),
    Theirs(Box<dyn Other>),
}

struct Host {
    wire: Wire,
    end: End,
}

impl Node for Host {
    fn handle_input(&mut self, datagram: Datagram<'_>, now: Instant) {
        match &mut self.end {
            End::Ours(ours) => {
                let received = &mut ours.received;
                ours.connection.handle_input(datagram.payload, now, |data| received.extend(data));
            }
            End::Theirs(theirs) => theirs.handle_input(datagram.payload, now),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match &mut self.end {
            End::Ours(ours) => ours.connection.handle_timeout(now),
            End::Theirs(theirs) => theirs.handle_timeout(now),
        }
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        let datagram = match &mut self.end {
            End::Ours(ours) => ours.owed.pop_front(),
            End::Theirs(theirs) => theirs.poll_transmit(),
        };
        self.wire.transmit(out, |limit, out| match (&datagram, &mut self.end) {
            (Some(datagram), _) => {
                out.extend_from_slice(datagram);
                true
            }
            (None, End::Ours(ours)) => ours.connection.poll_packet(now, limit, out),
            (None, End::Theirs(_)) => false,
        })
    }

    fn poll_event(&mut self) -> bool {
        let End::Ours(ours) = &mut self.end else { return false };
        match ours.connection.poll_event() {
            Some(Event::Connected { srtp }) => ours.srtp = srtp,
            Some(Event::Closed(reason)) => ours.closed = Some(reason),
            Some(event) => panic!("{event:?}"),
            None => return false,
        }
        true
    }

    fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match &self.end {
            End::Ours(ours) if !ours.owed.is_empty() => Some(now),
            End::Ours(ours) => ours.connection.poll_timeout(now),
            End::Theirs(theirs) if theirs.owes() => Some(now),
            End::Theirs(theirs) => theirs.poll_timeout(),
        }
    }
}

/// One connection, ours at A and theirs at Z.
struct Call<'a> {
    case: &'a Case,
    world: World<Host>,
}

/// From the first datagram to the last; returns how many of how many datagrams were lost before goodbye was said.
///
/// # Panics
/// If anything is not as it should be.
pub(crate) fn run(case: &Case, theirs: impl FnOnce(&Case, Instant) -> Box<dyn Other>) -> [u64; 2] {
    let ours = Ours {
        connection: Connection::new(case.config(), Seed::for_test(case.seed)),
        owed: VecDeque::new(),
        srtp: None,
        closed: None,
        received: Vec::new(),
    };
    let theirs = theirs(case, wigwag_sim::origin());
    let [a, z] = Wire::pair().map(|wire| Wire { limit: case.mtu, ..wire });
    let hosts = [Host { wire: a, end: End::Ours(Box::new(ours)) }, Host { wire: z, end: End::Theirs(theirs) }];
    let mut world = World::pair(case.seed, hosts);
    world.links(A, Z, |link| {
        link.loss(case.loss as f64);
    });
    let mut call = Call { case, world };
    call.connect();
    call.talk();
    call.assert_keys_were_replaced();
    call.close()
}

/// All of these, at 0 %, 10 % and 30 % loss, and sees to it that so much was lost.
pub(crate) fn all(cases: &[Case], seeds: u64, theirs: impl Fn(&Case, Instant) -> Box<dyn Other>) {
    for loss in [0, 10, 30] {
        let [mut lost, mut total] = [0, 0];
        let seeds = if loss == 0 { 1 } else { seeds };
        for case in (0..seeds).flat_map(|_| cases).zip(0..).map(|(case, seed)| Case { loss, seed, ..*case }) {
            println!("{case:?}");
            let counts = run(&case, &theirs);
            lost += counts[0];
            total += counts[1];
        }
        assert!(lost * 100 >= total * loss * 8 / 10, "at {loss} %, {lost} of {total} were lost");
    }
}

impl Call<'_> {
    fn ours(&mut self) -> &mut Ours {
        match &mut self.world[A].end {
            End::Ours(ours) => ours,
            End::Theirs(_) => unreachable!("ours is at A"),
        }
    }

    fn theirs(&mut self) -> &mut dyn Other {
        match &mut self.world[Z].end {
            End::Theirs(theirs) => theirs.as_mut(),
            End::Ours(_) => unreachable!("theirs is at Z"),
        }
    }

    fn connect(&mut self) {
        let is_over = |host: &Host| match &host.end {
            End::Ours(ours) => ours.srtp.is_some() || ours.closed.is_some(),
            End::Theirs(theirs) => theirs.exported().is_some(),
        };
        self.world.run_until(|world| is_over(&world[A]) && (is_over(&world[Z]) || world.age() > LIMIT / 2), LIMIT);
        let (case, theirs) = (self.case, self.theirs().exported());
        let ours = self.ours();
        assert_eq!(ours.closed, None);
        assert_eq!(ours.connection.version(), Some(case.version));
        assert!(case.suite.is_none_or(|suite| ours.connection.cipher_suite() == Some(suite)));
        assert!(case.group.is_none_or(|group| ours.connection.group() == Some(group)), "{:?}", ours.connection.group());
        assert_eq!(ours.connection.srtp_profile(), Some(case.profile));
        let exported = exported(case, &ours.connection).expect("connected");
        assert_eq!(in_order(case.role, ours.srtp.as_ref().expect("keys of SRTP")), exported);
        assert_eq!(theirs, Some(exported), "what both export");
    }

    fn talk(&mut self) {
        for n in 0..LINES {
            let (ours, theirs) = (format!("from wigwag: {n}\n"), format!("to wigwag: {n}\n"));
            if self.replaces_keys() {
                self.ours().connection.update_keys(n > LINES / 2);
            }
            self.repeat(|call| call.say(&ours), |call| holds(call.theirs().received(), &ours));
            self.repeat(
                |call| {
                    let now = call.world.now();
                    call.theirs().send(theirs.as_bytes(), now);
                },
                |call| holds(&call.ours().received, &theirs),
            );
        }
    }

    /// What our last flight is not acknowledged for waits behind it, new keys as well.
    fn replaces_keys(&mut self) -> bool {
        self.case.version == Version::Dtls13 && (self.case.loss == 0 || self.theirs().repeats_acknowledgements())
    }

    fn assert_keys_were_replaced(&mut self) {
        if self.replaces_keys() {
            self.world.run_for(LIMIT);
            let ours = self.ours();
            let stats = ours.connection.stats();
            assert_eq!(ours.closed, None, "{stats:?}");
            // Of several wishes at once comes one replacement.
            assert!(stats.key_updates_received >= 1 && !ours.connection.is_updating_keys(), "{stats:?}");
        }
    }

    fn say(&mut self, line: &str) {
        let ours = self.ours();
        let mut record = Vec::new();
        assert!(ours.connection.protect(MTU, &mut record, |_, out| {
            out.extend_from_slice(line.as_bytes());
            true
        }));
        ours.owed.push_back(record);
    }

    /// Says something until it has arrived: nobody but us repeats it.
    fn repeat(&mut self, mut say: impl FnMut(&mut Self), mut is_there: impl FnMut(&mut Self) -> bool) {
        let end = self.world.now() + LIMIT;
        while !is_there(self) {
            assert!(self.world.now() < end, "never arrived; {:?}", self.ours().closed);
            say(self);
            self.world.run_for(AGAIN);
        }
    }

    /// Goodbye is said once, so nothing is lost from here on.
    fn close(&mut self) -> [u64; 2] {
        let counts = [self.world.count(Fate::Lost), self.world.count(Fate::Lost) + self.world.count(Fate::Passed)];
        self.world.links(A, Z, |link| {
            link.heal();
        });
        let now = self.world.now();
        match self.case.closer {
            Closer::Ours => self.ours().connection.close(),
            Closer::Theirs => self.theirs().close(now),
        }
        self.world.run_for(Duration::from_secs(1));
        match self.case.closer {
            Closer::Ours => assert!(self.theirs().is_closed(), "our goodbye was heard"),
            Closer::Theirs => assert_eq!(self.ours().closed, Some(CloseReason::CloseNotify)),
        }
        counts
    }
}

fn holds(data: &[u8], line: &str) -> bool {
    data.windows(line.len()).any(|window| window == line.as_bytes())
}

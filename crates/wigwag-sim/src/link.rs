//! One direction between two hosts, and all that can go wrong on it.

use crate::fault::Conditions;
use crate::{Fate, Fault};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};
use wigwag_sansio::{Protocol, Rng};

/// What a link takes of each datagram beside its payload: the headers of IPv6 and UDP, in bytes.
const HEADERS_LEN: usize = 48;

/// A datagram that is about to pass a link, as [`Link::drop_if`] sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Passing<'a> {
    /// Its number on this link, from 1.
    pub number: u64,
    /// When it was sent, since the beginning of the world.
    pub at: Duration,
    /// From which address.
    pub from: SocketAddr,
    /// To which address.
    pub to: SocketAddr,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// What a link decided about a datagram.
#[derive(Debug)]
pub(crate) struct Passage {
    pub(crate) fate: Fate,
    /// When each copy arrives.
    pub(crate) arrivals: Vec<Instant>,
    /// Whether a fault makes it late, and does nothing else to it.
    pub(crate) is_delayed: bool,
}

type DropIf = Box<dyn FnMut(&Passing<'_>) -> bool + Send>;

/// One direction between two hosts. A new one takes 20 ms and loses nothing.
///
/// Streams (TCP, TLS) know latency and rate only: what is lost below them is sent again below them.
pub struct Link {
    rng: Rng,
    /// When no fault makes it worse.
    conditions: Conditions,
    /// By the ages of the world between which they last.
    faults: Vec<(Range<Duration>, Fault)>,
    is_in_burst: bool,
    drop_if: Vec<DropIf>,
    number: u64,
    busy_until: Option<Instant>,
    /// When the last bytes of a stream arrive: the next ones do not overtake them.
    stream_until: Option<Instant>,
    counts: BTreeMap<Fate, u64>,
}

impl Link {
    pub(crate) fn new(rng: Rng) -> Self {
        Self {
            rng,
            conditions: Conditions::new(Duration::from_millis(20)),
            faults: Vec::new(),
            is_in_burst: false,
            drop_if: Vec::new(),
            number: 0,
            busy_until: None,
            stream_until: None,
            counts: BTreeMap::new(),
        }
    }

    /// How long a datagram is on its way.
    pub const fn latency(&mut self, latency: Duration) -> &mut Self {
        self.conditions.latency = latency;
        self
    }

    /// Up to how much longer it may be on its way, chosen anew for each, so that they overtake one another.
    pub const fn jitter(&mut self, jitter: Duration) -> &mut Self {
        self.conditions.jitter = jitter;
        self
    }

    /// How many of a hundred datagrams are lost.
    pub const fn loss(&mut self, percent: f64) -> &mut Self {
        self.conditions.loss = percent;
        self
    }

    /// Loses datagrams in a row, as Gilbert and Elliott have it: before each, a burst begins with the chance `enter`, or
    /// ends with the chance `leave`, and in a burst `loss` of a hundred are lost. Chances are percents: bursts last
    /// 100 / `leave` datagrams on average.
    pub const fn bursts(&mut self, enter: f64, leave: f64, loss: f64) -> &mut Self {
        self.conditions.bursts = [enter, leave, loss];
        self
    }

    /// How many of a hundred datagrams arrive with one bit turned over.
    pub const fn corruption(&mut self, percent: f64) -> &mut Self {
        self.conditions.corruption = percent;
        self
    }

    /// How many of a hundred datagrams arrive without their ends.
    pub const fn truncation(&mut self, percent: f64) -> &mut Self {
        self.conditions.truncation = percent;
        self
    }

    /// How many of a hundred datagrams arrive twice.
    pub const fn duplication(&mut self, percent: f64) -> &mut Self {
        self.conditions.duplication = percent;
        self
    }

    /// How many of a hundred datagrams are held back, and for how long.
    pub const fn reordering(&mut self, percent: f64, by: Duration) -> &mut Self {
        self.conditions.reordering = (percent, by);
        self
    }

    /// How many bits a second pass (headers of 48 bytes a datagram count), and how many bytes may wait for that.
    ///
    /// # Panics
    /// If no bit passes.
    pub const fn rate(&mut self, bits_per_second: u64, queue_len_max: usize) -> &mut Self {
        assert!(bits_per_second > 0, "a link without a rate drops everything: say loss(100.0)");
        self.conditions.rate = Some(bits_per_second);
        self.conditions.queue_len_max = queue_len_max;
        self
    }

    /// The longest payload that passes, in bytes. What is longer vanishes, and nobody is told.
    pub const fn mtu(&mut self, mtu: usize) -> &mut Self {
        self.conditions.mtu = mtu;
        self
    }

    /// Loses the `n`th datagram of this link, counted from 1 and from the beginning of the world.
    pub fn drop_nth(&mut self, n: u64) -> &mut Self {
        self.drop_if(move |passing| passing.number == n)
    }

    /// Loses what `condition` says yes to, in addition to what is lost already.
    pub fn drop_if(&mut self, condition: impl FnMut(&Passing<'_>) -> bool + Send + 'static) -> &mut Self {
        self.drop_if.push(Box::new(condition));
        self
    }

    /// Lets something go wrong while the world is of these ages.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wigwag_sim::{A, Fault, World, Z};
    /// # fn flap<N: wigwag_sim::Node>(world: &mut World<N>) {
    /// let [second, minute] = [1, 60].map(Duration::from_secs);
    /// world.links(A, Z, |link| {
    ///     link.fault(minute..minute + second, Fault::Down);
    /// });
    /// # }
    /// ```
    pub fn fault(&mut self, during: Range<Duration>, fault: Fault) -> &mut Self {
        self.faults.push((during, fault));
        self
    }

    /// Passes everything at once from now on, unharmed, after the latency.
    pub fn heal(&mut self) -> &mut Self {
        self.conditions = Conditions::new(self.conditions.latency);
        self.faults.clear();
        self.drop_if.clear();
        self
    }

    /// How many datagrams have met this fate here.
    pub fn count(&self, fate: Fate) -> u64 {
        self.counts.get(&fate).copied().unwrap_or(0)
    }

    /// How many datagrams have met each fate here.
    pub const fn counts(&self) -> &BTreeMap<Fate, u64> {
        &self.counts
    }

    /// Decides about a datagram. Spoils `payload` if that is its fate.
    pub(crate) fn pass(
        &mut self,
        protocol: Protocol,
        [from, to]: [SocketAddr; 2],
        [begin, now]: [Instant; 2],
        payload: &mut Vec<u8>,
    ) -> Passage {
        self.number += 1;
        let age = now.duration_since(begin);
        let passing = Passing { number: self.number, at: age, from, to, payload };
        let mut is_dropped = false;
        for drop in &mut self.drop_if {
            // Each sees every datagram, so that it may count them.
            is_dropped |= drop(&passing);
        }
        let conditions = self.conditions_at(age);
        let (fate, arrivals) = match protocol {
            Protocol::Udp => {
                let fate = self.decide(&conditions, is_dropped, now, payload.len());
                (fate, self.carry(&conditions, fate, now, payload))
            }
            Protocol::Tcp | Protocol::Tls => match begin.checked_add(self.up_at(age)) {
                Some(up) => (Fate::Passed, vec![self.pass_stream(&conditions, up, payload.len())]),
                None => (Fate::Down, vec![]), // for ever
            },
        };
        *self.counts.entry(fate).or_default() += 1;
        let is_faulty = self.faults.iter().any(|(during, _)| during.contains(&age));
        let is_late = arrivals.iter().all(|at| *at > now + self.conditions.latency);
        Passage { is_delayed: fate == Fate::Passed && is_faulty && is_late, fate, arrivals }
    }

    fn conditions_at(&self, age: Duration) -> Conditions {
        let mut conditions = self.conditions;
        for (_, fault) in self.faults.iter().filter(|(during, _)| during.contains(&age)) {
            conditions.worsen(*fault);
        }
        conditions
    }

    fn decide(&mut self, conditions: &Conditions, is_dropped: bool, now: Instant, len: usize) -> Fate {
        match () {
            () if conditions.is_down => Fate::Down,
            () if len > conditions.mtu => Fate::TooLarge,
            () if self.is_hit_by_burst(conditions.bursts) => Fate::LostInBurst,
            () if is_dropped || self.hits(conditions.loss) => Fate::Lost,
            () if self.backlog_len(conditions, now) + len > conditions.queue_len_max => Fate::QueueFull,
            () if len > 0 && self.hits(conditions.corruption) => Fate::Corrupted,
            () if len > 0 && self.hits(conditions.truncation) => Fate::Truncated,
            () if self.hits(conditions.duplication) => Fate::Duplicated,
            () if self.hits(conditions.reordering.0) => Fate::Reordered,
            () => Fate::Passed,
        }
    }

    /// When each copy of a datagram arrives.
    fn carry(&mut self, conditions: &Conditions, fate: Fate, now: Instant, payload: &mut Vec<u8>) -> Vec<Instant> {
        if fate.is_lost() {
            return vec![];
        }
        let at = self.serialise(conditions, now, payload.len()) + conditions.latency;
        match fate {
            Fate::Reordered => return vec![at + conditions.reordering.1],
            Fate::Duplicated => return vec![at + self.draw(conditions.jitter), at + self.draw(conditions.jitter)],
            Fate::Corrupted => self.corrupt(conditions.bits_max, payload),
            Fate::Truncated => payload.truncate(self.rng.below(payload.len() as u64) as usize),
            _ => {}
        }
        vec![at + self.draw(conditions.jitter)]
    }

    /// Turns bits over, in a row, so that none is turned back.
    fn corrupt(&mut self, bits_max: u64, payload: &mut [u8]) {
        let first = self.rng.below(payload.len() as u64 * 8) as usize;
        let bits = if bits_max > 1 { 1 + self.rng.below(bits_max) as usize } else { 1 };
        for bit in first..first + bits {
            if let Some(byte) = payload.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    fn is_hit_by_burst(&mut self, [enter, leave, loss]: [f64; 3]) -> bool {
        let change = if self.is_in_burst { leave } else { enter };
        self.is_in_burst = enter > 0.0 && self.is_in_burst != self.hits(change);
        self.is_in_burst && self.hits(loss)
    }

    fn pass_stream(&mut self, conditions: &Conditions, now: Instant, len: usize) -> Instant {
        let at = self.serialise(conditions, now, len) + conditions.latency;
        let at = at.max(self.stream_until.unwrap_or(now));
        self.stream_until = Some(at);
        at
    }

    /// When the link is up again; it may be now.
    fn up_at(&self, age: Duration) -> Duration {
        let is_down = |at: &Duration| {
            let down = self.faults.iter().filter(|(during, fault)| *fault == Fault::Down && during.contains(at));
            down.map(|(during, _)| during.end).max()
        };
        std::iter::successors(Some(age), is_down).last().unwrap_or(age)
    }

    fn hits(&mut self, percent: f64) -> bool {
        const WHOLE: u64 = 1_000_000;
        // A fault that cannot happen draws nothing, so that ladders without faults do not depend on the seed.
        percent > 0.0 && (self.rng.below(WHOLE) as f64) < percent / 100.0 * WHOLE as f64
    }

    fn draw(&mut self, up_to: Duration) -> Duration {
        let nanos = u64::try_from(up_to.as_nanos()).unwrap_or(u64::MAX);
        if nanos == 0 { Duration::ZERO } else { Duration::from_nanos(self.rng.below(nanos)) }
    }

    /// When the last bit of a datagram has left.
    fn serialise(&mut self, conditions: &Conditions, now: Instant, len: usize) -> Instant {
        let Some(rate) = conditions.rate else { return now };
        let bits = (len + HEADERS_LEN) as u64 * 8;
        let start = self.busy_until.map_or(now, |busy_until| busy_until.max(now));
        let end = start + Duration::from_nanos(bits.saturating_mul(1_000_000_000) / rate);
        self.busy_until = Some(end);
        end
    }

    /// How many bytes wait to leave.
    fn backlog_len(&self, conditions: &Conditions, now: Instant) -> usize {
        let (Some(rate), Some(busy_until)) = (conditions.rate, self.busy_until) else { return 0 };
        let bits = busy_until.saturating_duration_since(now).as_nanos() * u128::from(rate) / 1_000_000_000;
        usize::try_from(bits / 8).unwrap_or(usize::MAX)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("conditions", &self.conditions)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

//! One direction between two hosts, and all that can go wrong on it.

use crate::Fate;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
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

type DropIf = Box<dyn FnMut(&Passing<'_>) -> bool + Send>;

/// One direction between two hosts. A new one takes 20 ms and loses nothing.
///
/// Streams (TCP, TLS) know latency and rate only: what is lost below them is sent again below them.
pub struct Link {
    rng: Rng,
    latency: Duration,
    jitter: Duration,
    loss: f64,
    corruption: f64,
    duplication: f64,
    reordering: (f64, Duration),
    /// Bits a second.
    rate: Option<u64>,
    queue_len_max: usize,
    mtu: usize,
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
            latency: Duration::from_millis(20),
            jitter: Duration::ZERO,
            loss: 0.0,
            corruption: 0.0,
            duplication: 0.0,
            reordering: (0.0, Duration::ZERO),
            rate: None,
            queue_len_max: usize::MAX,
            mtu: usize::MAX,
            drop_if: Vec::new(),
            number: 0,
            busy_until: None,
            stream_until: None,
            counts: BTreeMap::new(),
        }
    }

    /// How long a datagram is on its way.
    pub const fn latency(&mut self, latency: Duration) -> &mut Self {
        self.latency = latency;
        self
    }

    /// Up to how much longer it may be on its way, chosen anew for each, so that they overtake one another.
    pub const fn jitter(&mut self, jitter: Duration) -> &mut Self {
        self.jitter = jitter;
        self
    }

    /// How many of a hundred datagrams are lost.
    pub const fn loss(&mut self, percent: f64) -> &mut Self {
        self.loss = percent;
        self
    }

    /// How many of a hundred datagrams arrive with one bit turned over.
    pub const fn corruption(&mut self, percent: f64) -> &mut Self {
        self.corruption = percent;
        self
    }

    /// How many of a hundred datagrams arrive twice.
    pub const fn duplication(&mut self, percent: f64) -> &mut Self {
        self.duplication = percent;
        self
    }

    /// How many of a hundred datagrams are held back, and for how long.
    pub const fn reordering(&mut self, percent: f64, by: Duration) -> &mut Self {
        self.reordering = (percent, by);
        self
    }

    /// How many bits a second pass (headers of 48 bytes a datagram count), and how many bytes may wait for that.
    ///
    /// # Panics
    /// If no bit passes.
    pub const fn rate(&mut self, bits_per_second: u64, queue_len_max: usize) -> &mut Self {
        assert!(bits_per_second > 0, "a link without a rate drops everything: say loss(100.0)");
        self.rate = Some(bits_per_second);
        self.queue_len_max = queue_len_max;
        self
    }

    /// The longest payload that passes, in bytes.
    pub const fn mtu(&mut self, mtu: usize) -> &mut Self {
        self.mtu = mtu;
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

    /// Passes everything at once from now on, unharmed, after the latency.
    pub fn heal(&mut self) -> &mut Self {
        self.jitter = Duration::ZERO;
        (self.loss, self.corruption, self.duplication) = (0.0, 0.0, 0.0);
        self.reordering = (0.0, Duration::ZERO);
        (self.rate, self.queue_len_max, self.mtu) = (None, usize::MAX, usize::MAX);
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

    /// Decides about a datagram: its fate, and when each copy of it arrives. Turns a bit of `payload` if that is it.
    pub(crate) fn pass(
        &mut self,
        protocol: Protocol,
        [from, to]: [SocketAddr; 2],
        [begin, now]: [Instant; 2],
        payload: &mut [u8],
    ) -> (Fate, Vec<Instant>) {
        self.number += 1;
        let passing = Passing { number: self.number, at: now.duration_since(begin), from, to, payload };
        let mut is_dropped = false;
        for drop in &mut self.drop_if {
            // Each sees every datagram, so that it may count them.
            is_dropped |= drop(&passing);
        }
        let (fate, arrivals) = match protocol {
            Protocol::Udp => self.pass_datagram(is_dropped, now, payload),
            Protocol::Tcp | Protocol::Tls => (Fate::Passed, vec![self.pass_stream(now, payload.len())]),
        };
        *self.counts.entry(fate).or_default() += 1;
        (fate, arrivals)
    }

    fn pass_datagram(&mut self, is_dropped: bool, now: Instant, payload: &mut [u8]) -> (Fate, Vec<Instant>) {
        let fate = match () {
            () if payload.len() > self.mtu => Fate::TooLarge,
            () if is_dropped || self.hits(self.loss) => Fate::Lost,
            () if self.backlog_len(now) + payload.len() > self.queue_len_max => Fate::QueueFull,
            () if !payload.is_empty() && self.hits(self.corruption) => Fate::Corrupted,
            () if self.hits(self.duplication) => Fate::Duplicated,
            () if self.hits(self.reordering.0) => Fate::Reordered,
            () => Fate::Passed,
        };
        let at = if fate.is_lost() { now } else { self.serialise(now, payload.len()) + self.latency };
        let arrivals = match fate {
            Fate::Passed => vec![at + self.draw(self.jitter)],
            Fate::Reordered => vec![at + self.reordering.1],
            Fate::Duplicated => vec![at + self.draw(self.jitter), at + self.draw(self.jitter)],
            Fate::Corrupted => {
                let bit = self.rng.below(payload.len() as u64 * 8) as usize;
                if let Some(byte) = payload.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
                vec![at + self.draw(self.jitter)]
            }
            _ => vec![], // lost
        };
        (fate, arrivals)
    }

    fn pass_stream(&mut self, now: Instant, len: usize) -> Instant {
        let at = (self.serialise(now, len) + self.latency).max(self.stream_until.unwrap_or(now));
        self.stream_until = Some(at);
        at
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
    fn serialise(&mut self, now: Instant, len: usize) -> Instant {
        let Some(rate) = self.rate else { return now };
        let bits = (len + HEADERS_LEN) as u64 * 8;
        let start = self.busy_until.map_or(now, |busy_until| busy_until.max(now));
        let end = start + Duration::from_nanos(bits.saturating_mul(1_000_000_000) / rate);
        self.busy_until = Some(end);
        end
    }

    /// How many bytes wait to leave.
    fn backlog_len(&self, now: Instant) -> usize {
        let (Some(rate), Some(busy_until)) = (self.rate, self.busy_until) else { return 0 };
        let bits = busy_until.saturating_duration_since(now).as_nanos() * u128::from(rate) / 1_000_000_000;
        usize::try_from(bits / 8).unwrap_or(usize::MAX)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("latency", &self.latency).field("counts", &self.counts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{A, Z, address, origin};
    use wigwag_sansio::Seed;

    fn link() -> Link {
        Link::new(Rng::new(Seed::for_test(1)))
    }

    fn pass(link: &mut Link, at_ms: u64, payload: &mut [u8]) -> (Fate, Vec<u128>) {
        let now = origin() + Duration::from_millis(at_ms);
        let (fate, arrivals) = link.pass(Protocol::Udp, [address(A), address(Z)], [origin(), now], payload);
        (fate, arrivals.into_iter().map(|at| (at - origin()).as_millis()).collect())
    }

    #[test]
    fn passes_after_its_latency() {
        assert_eq!(pass(&mut link(), 5, &mut [0; 10]), (Fate::Passed, vec![25]));
    }

    #[test]
    fn faults_hit_as_often_as_they_should_and_are_counted() {
        let mut link = link();
        link.loss(10.0).corruption(10.0).duplication(10.0).reordering(10.0, Duration::from_millis(50));
        for _ in 0..10_000 {
            let mut payload = [0; 10];
            let (fate, arrivals) = pass(&mut link, 0, &mut payload);
            let flipped: u32 = payload.iter().map(|byte: &u8| byte.count_ones()).sum();
            assert_eq!(flipped, u32::from(fate == Fate::Corrupted));
            let expected: &[u128] = match fate {
                Fate::Lost => &[],
                Fate::Duplicated => &[20, 20],
                Fate::Reordered => &[70],
                _ => &[20],
            };
            assert_eq!(arrivals, expected);
        }
        for (fate, about) in
            [(Fate::Lost, 1000), (Fate::Corrupted, 900), (Fate::Duplicated, 810), (Fate::Reordered, 729)]
        {
            assert!(link.count(fate).abs_diff(about) < 120, "{fate}: {}", link.count(fate));
        }
    }

    #[test]
    fn drops_the_nth_and_what_it_is_told() {
        let mut link = link();
        link.drop_nth(2).drop_if(|passing| passing.payload == [9]);
        let fates = [[0], [0], [9], [0]].map(|mut payload| pass(&mut link, 0, &mut payload).0);
        assert_eq!(fates, [Fate::Passed, Fate::Lost, Fate::Lost, Fate::Passed]);
    }

    #[test]
    fn jitter_reorders() {
        let mut link = link();
        link.jitter(Duration::from_millis(30));
        let arrivals: Vec<_> = (0..100).map(|_| pass(&mut link, 0, &mut [0]).1[0]).collect();
        assert!(!arrivals.is_sorted() && arrivals.iter().all(|at| (20..50).contains(at)));
    }

    #[test]
    fn a_rate_delays_and_its_queue_overflows() {
        let mut link = link();
        // A datagram of 952 bytes and its headers take 10 ms.
        link.rate(800_000, 3000);
        let mut payload = [0; 952];
        let mut arrivals = || pass(&mut link, 0, &mut payload);
        assert_eq!([arrivals(), arrivals(), arrivals()].map(|(_, at)| at[0]), [30, 40, 50]);
        assert_eq!(arrivals(), (Fate::QueueFull, vec![]));
        assert_eq!(pass(&mut link, 11, &mut payload), (Fate::Passed, vec![60]));
    }

    #[test]
    fn what_is_too_large_does_not_pass() {
        let mut link = link();
        link.mtu(10);
        assert_eq!([10, 11].map(|len| pass(&mut link, 0, &mut vec![0; len]).0), [Fate::Passed, Fate::TooLarge]);
    }

    #[test]
    fn streams_keep_their_order_and_lose_nothing() {
        let mut link = link();
        link.loss(100.0).jitter(Duration::from_secs(1));
        let streams = [address(A), address(Z)];
        let pass = |link: &mut Link| link.pass(Protocol::Tcp, streams, [origin(); 2], &mut [0; 9]).1[0];
        assert_eq!(pass(&mut link), origin() + Duration::from_millis(20));
        assert_eq!(pass(&mut link), origin() + Duration::from_millis(20));
        link.latency(Duration::ZERO);
        assert_eq!(pass(&mut link), origin() + Duration::from_millis(20));
    }
}

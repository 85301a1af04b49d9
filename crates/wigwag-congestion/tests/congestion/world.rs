//! Flows that share a bottleneck, in virtual time, and what is seen of them.

use crate::flow::{Flow, Source};
use crate::greedy::Greedy;
use crate::link::{Link, Queue};
use std::time::Duration;
use wigwag_sansio::{Rng, Seed};

/// Somebody else's packets, at a constant bitrate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cross {
    pub(crate) from: Duration,
    pub(crate) until: Duration,
    pub(crate) bits_per_second: u64,
}

pub(crate) struct World {
    pub(crate) flows: Vec<Flow>,
    queue: Queue,
    cross: Vec<(Cross, Duration)>,
    pub(crate) greedy: Vec<Greedy>,
    now: Duration,
    /// When a packet came, and how long it waited.
    waited: Vec<(Duration, Duration)>,
    /// Each tenth of a second: the estimates.
    samples: Vec<(Duration, Vec<u64>)>,
    steps: u64,
}

pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

impl World {
    pub(crate) fn new(seed: u64, link: Link, sources: impl IntoIterator<Item = Source>) -> Self {
        let seed = Seed::for_test(seed);
        let rng = |name: &str| Rng::new(seed.fork(name));
        let queue = Queue::new(link, rng("link"));
        let flows = sources.into_iter().enumerate().map(|(n, source)| Flow::new(source, rng(&format!("flow {n}"))));
        let flows = flows.collect();
        Self {
            flows,
            queue,
            cross: vec![],
            greedy: vec![],
            now: Duration::ZERO,
            waited: vec![],
            samples: vec![],
            steps: 0,
        }
    }

    pub(crate) fn cross(mut self, cross: Cross) -> Self {
        self.cross.push((cross, cross.from));
        self
    }

    /// From now on this part is lost by chance.
    pub(crate) const fn lose(&mut self, loss: f64) {
        self.queue.link.loss = loss;
    }

    /// A download begins then.
    pub(crate) fn greedy(mut self, from: Duration) -> Self {
        self.greedy.push(Greedy::new(from));
        self
    }

    /// Until then.
    pub(crate) fn run(&mut self, until: Duration) -> &mut Self {
        while self.now < until {
            let sample = self.samples.last().map_or(Duration::ZERO, |(at, _)| *at + ms(100));
            let cross = self.cross.iter().map(|(_, next)| *next).min().unwrap_or(Duration::MAX);
            let next = self.flows.iter().map(|flow| flow.next(self.now)).min().unwrap_or(Duration::MAX);
            let greedy = self.greedy.iter().map(Greedy::next).min().unwrap_or(Duration::MAX);
            let next = next.min(sample).min(cross).min(greedy).min(until).max(self.now);
            self.steps = if next > self.now { 0 } else { self.steps + 1 };
            assert!(self.steps < 1000, "at {:?} somebody spins", self.now);
            self.now = next;
            self.step(sample);
        }
        self
    }

    fn step(&mut self, sample: Duration) {
        let now = self.now;
        for (cross, next) in &mut self.cross {
            if *next <= now {
                self.queue.carry(1200, now);
                *next += Duration::from_nanos(1200 * 8 * 1_000_000_000 / cross.bits_per_second);
                if *next >= cross.until {
                    *next = Duration::MAX;
                }
            }
        }
        self.greedy.iter_mut().for_each(|greedy| greedy.run(now, &mut self.queue));
        for flow in &mut self.flows {
            let (queue, waited) = (&mut self.queue, &mut self.waited);
            flow.run(now, |size, now| {
                waited.push((now, queue.waits(now)));
                queue.carry(size, now)
            });
        }
        if sample <= now {
            self.samples.push((sample, self.flows.iter().map(|flow| flow.controller.target_bitrate()).collect()));
        }
    }

    /// The mean of what a flow was told between two times, in bit/s.
    pub(crate) fn estimate(&self, flow: usize, from: Duration, until: Duration) -> f64 {
        let of: Vec<_> = self.samples.iter().filter(|(at, _)| (from..until).contains(at)).collect();
        of.iter().map(|(_, rates)| rates[flow] as f64).sum::<f64>() / of.len() as f64
    }

    /// The extremes of what a flow was told between two times, in bit/s.
    pub(crate) fn extremes(&self, flow: usize, from: Duration, until: Duration) -> (u64, u64) {
        let of = || self.samples.iter().filter(|(at, _)| (from..until).contains(at)).map(|(_, rates)| rates[flow]);
        (of().min().expect("samples"), of().max().expect("samples"))
    }

    /// When a flow was first told this or more, since then.
    pub(crate) fn reached(&self, flow: usize, bits_per_second: u64, from: Duration) -> Option<Duration> {
        let mut of = self.samples.iter().filter(|(at, _)| *at >= from);
        of.find(|(_, rates)| rates[flow] >= bits_per_second).map(|(at, _)| *at - from)
    }

    /// When a flow was first told this or less, since then.
    pub(crate) fn fell(&self, flow: usize, bits_per_second: u64, from: Duration) -> Option<Duration> {
        let mut of = self.samples.iter().filter(|(at, _)| *at >= from);
        of.find(|(_, rates)| rates[flow] <= bits_per_second).map(|(at, _)| *at - from)
    }

    /// What of a flow came through between two times, in bit/s.
    pub(crate) fn goodput(&self, flow: usize, from: Duration, until: Duration) -> f64 {
        let of = self.flows[flow].arrived.iter().filter(|(at, _)| (from..until).contains(at));
        of.map(|(_, size)| *size as f64 * 8.0).sum::<f64>() / (until - from).as_secs_f64()
    }

    /// How long this part of the packets waited at most, between two times, in ms.
    pub(crate) fn waited(&self, part: f64, from: Duration, until: Duration) -> u64 {
        let of = self.waited.iter().filter(|(at, _)| (from..until).contains(at));
        let mut of: Vec<_> = of.map(|(_, waited)| *waited).collect();
        of.sort_unstable();
        let at = ((of.len() as f64 * part) as usize).min(of.len().saturating_sub(1));
        of.get(at).map_or(0, |waited| waited.as_millis() as u64)
    }

    /// Each so many seconds: what the link carries, what each flow was told in kbit/s, and how long packets waited in ms, 95 of 100.
    pub(crate) fn curve(&self, each: Duration) -> String {
        let flows: String = (1..=self.flows.len()).map(|flow| format!("  flow {flow:>1}")).collect();
        let mut text = format!("time    link{flows}  waits\n");
        let mut from = Duration::ZERO;
        while from < self.now {
            let until = (from + each).min(self.now);
            let told = |flow| format!("  {:>6.0}", self.estimate(flow, from, until) / 1000.0);
            let told: String = (0..self.flows.len()).map(told).collect();
            let (link, waited) = (self.queue.link.capacity_at(from) / 1000, self.waited(0.95, from, until));
            text += &format!("{:>2} s  {link:>6}{told}  {waited:>5}\n", from.as_secs());
            from = until;
        }
        text
    }
}

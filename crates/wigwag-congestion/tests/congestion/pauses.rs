//! Who stops for a while and goes on, and paths that were bad and are not any more.

use std::time::{Duration, Instant};
use wigwag_congestion::{Config, Controller, Reported};
use wigwag_sim::origin;

/// A sender of a packet of 1250 bytes each 10 ms, 1 Mbit/s, whose peer reports each tenth of a second, after `round_trip`.
struct Talk {
    controller: Controller,
    now: Instant,
    sequence: u64,
    round_trip: Duration,
    /// How much faster the peer's clock runs, in millionths.
    skew: u32,
}

impl Talk {
    fn new(config: Config) -> Self {
        let controller = Controller::new(config).expect("possible");
        Self { controller, now: origin(), sequence: 0, round_trip: Duration::from_millis(50), skew: 0 }
    }

    /// For so many tenths of a second; of ten packets so many are lost.
    fn run(&mut self, tenths: u64, lost: u64) {
        let mut told = Vec::new();
        for n in 0..tenths * 10 {
            self.wake();
            self.controller.handle_sent(self.sequence, 1250, true, self.now);
            let since = self.now.duration_since(origin());
            let arrival = Duration::from_secs(9) + since + since * self.skew / 1_000_000;
            let is_lost = self.sequence * lost % 10 < lost;
            told.push((self.now, Reported { sequence: self.sequence, arrival: (!is_lost).then_some(arrival) }));
            self.sequence += 1;
            self.now += Duration::from_millis(10);
            if n % 10 == 9 {
                let heard: Vec<_> = told.iter().take_while(|(sent, _)| *sent + self.round_trip <= self.now).collect();
                let heard: Vec<_> = heard.into_iter().map(|(_, reported)| *reported).collect();
                told.drain(..heard.len());
                self.controller.handle_feedback(&heard, self.now);
            }
        }
        let last: Vec<_> = told.into_iter().map(|(_, reported)| reported).collect();
        self.controller.handle_feedback(&last, self.now + self.round_trip);
        self.now += self.round_trip;
    }

    fn rest(&mut self, time: Duration) {
        self.now += time;
        self.wake();
    }

    /// As a loop does.
    fn wake(&mut self) {
        while let Some(due) = self.controller.poll_timeout(self.now).filter(|due| *due <= self.now) {
            self.controller.handle_timeout(due);
            while self.controller.poll_event().is_some() {}
        }
    }
}

fn unprobed() -> Config {
    let mut config = Config::new();
    config.is_probing = false;
    config
}

/// Losses that are over say nothing of how much more could be sent than the least.
#[test]
fn after_many_losses_the_estimate_grows_from_its_least_at_once() {
    let mut config = unprobed();
    (config.min_bitrate, config.initial_bitrate) = (300_000, 1_000_000);
    let mut talk = Talk::new(config);
    talk.run(20, 0);
    talk.run(600, 3);
    assert_eq!(talk.controller.target_bitrate(), 300_000);
    // 8 % a second.
    talk.run(100, 0);
    let target = talk.controller.target_bitrate();
    assert!(target > 550_000, "{:?}", talk.controller.stats());
}

/// Two clocks that part by a tenth of a second in ten minutes are no queue.
#[test]
fn after_a_rest_the_path_is_calm() {
    let mut talk = Talk::new(Config::new());
    talk.skew = 200;
    talk.run(100, 0);
    let probes = talk.controller.stats().probes;
    talk.rest(Duration::from_secs(600));
    talk.controller.set_desired_bitrate(20_000_000);
    talk.run(30, 0);
    assert!(talk.controller.stats().probes > probes, "{:?}", talk.controller.stats());
}

/// The last report before a rest was lost: what is sent afterwards has its time to come and be told of.
#[test]
fn after_a_rest_that_began_in_silence_a_long_path_has_its_time() {
    let mut talk = Talk::new(unprobed());
    talk.round_trip = Duration::from_millis(800);
    talk.run(100, 0);
    let now = talk.now;
    talk.controller.handle_sent(talk.sequence, 1250, true, now);
    talk.sequence += 1;
    talk.rest(Duration::from_secs(60));
    let outages = talk.controller.stats().outages;
    talk.run(50, 0);
    assert_eq!(talk.controller.stats().outages, outages, "{:?}", talk.controller.stats());
}

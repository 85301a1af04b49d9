//! What a packet costs in allocations.

use allocation_counter::measure;
use std::time::Duration;
use wigwag_congestion::{Config, Controller, Reported};
use wigwag_sim::origin;

#[test]
fn a_packet_sent_and_reported_allocates_nothing_in_the_steady_state() {
    let mut controller = Controller::new(Config::new()).expect("possible");
    let mut reported = Vec::with_capacity(100);
    let mut send = |controller: &mut Controller, n: u64| {
        let now = origin() + Duration::from_millis(n * 5);
        let _ = controller.next_departure(1000, Some(now), now);
        controller.handle_sent(n, 1000, true, now);
        let _ = (controller.padding_wanted(now), controller.next_padding(now), controller.poll_timeout(now));
        // One of a hundred is lost.
        let arrival = (n % 100 != 7).then(|| Duration::from_millis(n * 5));
        reported.push(Reported { sequence: n, arrival });
        if reported.len() >= 20 {
            controller.handle_feedback(&reported, now);
            reported.clear();
        }
        controller.handle_timeout(now);
        while controller.poll_event().is_some() {}
        let _ = controller.stats();
    };
    // Until what is remembered is as much as it gets.
    (0..5_000).for_each(|n| send(&mut controller, n));
    let cost = measure(|| (5_000..20_000).for_each(|n| send(&mut controller, n)));
    assert_eq!(cost.count_total, 0, "{cost:?}");
}

/// Whoever makes a connection and never sends anything pays for nothing but the controller itself.
#[test]
fn a_controller_at_rest_holds_nothing() {
    let cost = measure(|| {
        let controller = Controller::new(Config::new()).expect("possible");
        assert!(controller.poll_timeout(origin()).is_none());
    });
    assert_eq!(cost.count_total, 0, "{cost:?}");
    assert!(size_of::<Controller>() < 2_000, "{}", size_of::<Controller>());
}

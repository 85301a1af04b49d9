//! What a flight owes, and when.

use super::*;

#[expect(clippy::disallowed_methods, reason = "an arbitrary origin; only differences are used")]
fn origin() -> Instant {
    Instant::now()
}

/// A message of this body, with number 0.
fn message(body: &[u8]) -> Content {
    let len = u8::try_from(body.len()).unwrap();
    Content::Handshake([&[1, 0, 0, len, 0, 0, 0, 0, 0, 0, 0, len], body].concat())
}

fn flight(config: &Retransmission, is_last: bool) -> Flight {
    let mut flight = Flight::new(config);
    flight.begin(is_last);
    flight.push(0, message(&[7; 200]));
    flight.push(0, Content::ChangeCipherSpec);
    flight
}

/// An eighth of the 200 ms that are the default.
const EARLY: Duration = Duration::from_millis(25);

fn datagrams(flight: &mut Flight, now: Instant, limit: usize, epochs: &mut [WriteEpoch]) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| {
        let mut out = Vec::new();
        flight.write(now, limit, epochs, &mut out).then_some(out)
    })
    .collect()
}

#[test]
fn a_flight_is_cut_to_the_limit_and_packed() {
    let mut epochs = [WriteEpoch::plaintext()];
    let lens = |limit, epochs: &mut [WriteEpoch]| {
        let mut flight = flight(&Retransmission::default(), false);
        datagrams(&mut flight, origin(), limit, epochs).iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(lens(1200, &mut epochs), [25 + 200 + 14]);
    assert_eq!(lens(120, &mut epochs), [120, 120, 25 + 10 + 14]);
    assert_eq!(lens(26, &mut epochs).len(), 201, "a byte in each, and the ChangeCipherSpec");
    assert_eq!(lens(25, &mut epochs), [0; 0], "too small for anything");
}

#[test]
fn what_does_not_fit_stays_owed() {
    let mut epochs = [WriteEpoch::plaintext()];
    let mut flight = flight(&Retransmission::default(), false);
    let mut out = vec![1, 2, 3];
    assert!(!flight.write(origin(), 20, &mut epochs, &mut out) && flight.is_owed());
    assert_eq!(out, [1, 2, 3]);
    assert_eq!(datagrams(&mut flight, origin(), 1200, &mut epochs).len(), 1);
}

#[test]
fn the_timer_doubles_up_to_its_maximum_and_then_the_peer_is_given_up() {
    let config = Retransmission {
        initial: Duration::from_secs(1),
        max: Duration::from_secs(5),
        limit: 5,
        ..Retransmission::default()
    };
    let (mut epochs, mut now, mut waits) = ([WriteEpoch::plaintext()], origin(), Vec::new());
    let mut flight = flight(&config, false);
    loop {
        datagrams(&mut flight, now, 1200, &mut epochs);
        let deadline = flight.deadline().unwrap();
        waits.push((deadline - now).as_secs());
        now = deadline;
        match flight.handle_timeout(now) {
            Expiry::Again => {}
            Expiry::GaveUp => break,
            Expiry::None => panic!("it was due"),
        }
    }
    assert_eq!(waits, [1, 2, 4, 5, 5, 5]);
    assert!(flight.is_idle());
}

#[test]
fn progress_starts_the_timer_anew() {
    let (mut epochs, now) = ([WriteEpoch::plaintext()], origin());
    let mut flight = flight(&Retransmission::default(), false);
    datagrams(&mut flight, now, 1200, &mut epochs);
    let now = flight.deadline().unwrap();
    assert_eq!(flight.handle_timeout(now), Expiry::Again);
    datagrams(&mut flight, now, 1200, &mut epochs);
    flight.progress(now);
    assert_eq!(flight.deadline(), Some(now + Retransmission::default().initial));
}

/// D6: how long the flight before was waited for says nothing of this one.
#[test]
fn the_next_flight_is_waited_for_as_long_as_the_first() {
    let (mut epochs, mut now) = ([WriteEpoch::plaintext()], origin());
    let mut flight = flight(&Retransmission::default(), false);
    for _ in 0..3 {
        datagrams(&mut flight, now, 1200, &mut epochs);
        now = flight.deadline().unwrap();
        assert_eq!(flight.handle_timeout(now), Expiry::Again);
    }
    flight.begin(false);
    flight.push(0, message(&[7; 200]));
    datagrams(&mut flight, now, 1200, &mut epochs);
    assert_eq!(flight.deadline(), Some(now + Retransmission::default().initial));
}

#[test]
fn a_repeated_flight_has_new_sequence_numbers() {
    let (mut epochs, now) = ([WriteEpoch::plaintext()], origin());
    let mut flight = flight(&Retransmission::default(), false);
    let first = datagrams(&mut flight, now, 1200, &mut epochs).concat();
    assert!(!flight.repeat(now + EARLY - Duration::from_nanos(1)), "nobody can have waited for it yet");
    let now = now + EARLY;
    assert!(flight.repeat(now));
    let again = datagrams(&mut flight, now, 1200, &mut epochs).concat();
    assert_eq!((first[3..11].to_vec(), again[3..11].to_vec()), (vec![0; 8], vec![0, 0, 0, 0, 0, 0, 0, 2]));
    assert_eq!(first[13..225], again[13..225]);
    assert!(!flight.repeat(now + 2 * EARLY), "once a period of the timer");
}

#[test]
fn the_last_flight_has_no_timer_and_is_repeated_when_asked_for() {
    let (mut epochs, now) = ([WriteEpoch::plaintext()], origin());
    let mut flight = flight(&Retransmission::default(), true);
    for _ in 0..5 {
        assert_eq!(datagrams(&mut flight, now, 1200, &mut epochs).len(), 1);
        assert_eq!(flight.deadline(), None);
        assert!(flight.repeat(now));
    }
    datagrams(&mut flight, now, 1200, &mut epochs);
    flight.acknowledge();
    assert!(!flight.repeat(now) && flight.is_idle());
}

#[test]
fn datagrams_become_smaller_when_nothing_answers() {
    let (mut epochs, mut now) = ([WriteEpoch::plaintext()], origin());
    let mut flight = Flight::new(&Retransmission::default());
    flight.begin(false);
    (0..10).for_each(|_| flight.push(0, message(&[7; 200])));
    let mut longest = Vec::new();
    for _ in 0..5 {
        longest.push(datagrams(&mut flight, now, 1200, &mut epochs).iter().map(Vec::len).max().unwrap());
        now = flight.deadline().unwrap();
        assert_eq!(flight.handle_timeout(now), Expiry::Again);
    }
    assert!(longest[2] > 1100 && longest[3] <= SMALL_DATAGRAM_LEN && longest[4] <= SMALL_DATAGRAM_LEN);
}

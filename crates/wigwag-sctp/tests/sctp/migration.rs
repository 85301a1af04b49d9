//! Associations that go on elsewhere, at any moment, as often as anybody likes, and the peer does not notice.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::common::{Peer, chunks, config, connected_with, plain, world};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::{Duration, Instant};
use wigwag_sansio::Seed;
use wigwag_sctp::{
    Association, CloseReason, Config, CongestionControl, Event, ExportError, Reliability, ResumeError, Scheduler,
    SendOptions, State,
};
use wigwag_sim::{A, Host, World, Z};

/// The association as it goes on elsewhere; exported there at once, it is the same bytes.
fn migrated(association: Association, config: &Config, number: u64, now: Instant) -> Association {
    let state = association.export(now).unwrap();
    let resume = |bytes: &[u8]| Association::resume(config.clone(), Seed::for_test(number), bytes, now).unwrap();
    let again = resume(state.as_bytes()).export(now).unwrap();
    assert!(state.as_bytes() == again.as_bytes(), "exported again, it is the same");
    resume(again.as_bytes())
}

/// Lets the host's association go on elsewhere, unless it has ended.
fn migrate(world: &mut World<Peer>, host: Host, config: &Config, number: u64) {
    if world[host].events.iter().any(|event| matches!(event, Event::Closed(_))) {
        return;
    }
    let now = world.now();
    let placeholder = Association::new(Config::default(), Seed::for_test(0));
    let association = std::mem::replace(&mut world[host].association, placeholder);
    world[host].association = migrated(association, config, number, now);
}

/// Something that happens on a host.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// On a stream, so long.
    Send(u16, usize),
    /// Of a message that is given in parts, so long.
    Give(usize),
    Finish,
    Migrate,
    /// Of the streams that may be reset.
    Reset,
    ToggleReading,
    Fetch,
}

fn steps() -> impl Strategy<Value = Vec<(u64, bool, Step)>> {
    let len = prop_oneof![4 => 4..200usize, 2 => 1100..1160usize, 1 => 2000..40_000usize];
    let step = prop_oneof![
        4 => len.clone().prop_map(Step::Give),
        2 => Just(Step::Finish),
        8 => (0..5u16, len).prop_map(|(stream, len)| Step::Send(stream, len)),
        8 => Just(Step::Migrate),
        1 => Just(Step::Reset),
        1 => Just(Step::ToggleReading),
        1 => Just(Step::Fetch),
    ];
    prop::collection::vec((prop_oneof![3 => 0..4u64, 2 => 0..40u64, 1 => 0..900u64], any::<bool>(), step), 1..70)
}

fn modes() -> impl Strategy<Value = Config> {
    let schedulers = prop_oneof![
        Just(Scheduler::FirstComeFirstServed),
        Just(Scheduler::RoundRobin),
        Just(Scheduler::WeightedFair),
        Just(Scheduler::Priority),
    ];
    let controls =
        prop_oneof![Just(CongestionControl::Rfc9260), Just(CongestionControl::Cubic), Just(CongestionControl::Bbr)];
    let parts = prop_oneof![Just(None), Just(Some(1)), Just(Some(3000))];
    (any::<bool>(), any::<bool>(), any::<bool>(), schedulers, controls, parts).prop_map(
        |(interleaving, zero_checksum, is_small, scheduler, control, parts)| {
            config(|config| {
                config.initial_tsn = Some(u32::MAX - 9);
                (config.interleaving, config.zero_checksum) = (interleaving, zero_checksum);
                (config.scheduler, config.congestion_control) = (scheduler, control);
                config.partial_delivery_from = parts;
                if is_small {
                    (config.receive_window, config.receive_window_max) = (30_000, 0);
                    (config.message_len_max_receive, config.message_len_max_send) = (40_000, 40_000);
                }
            })
        },
    )
}

/// How messages of each stream travel.
fn options(stream: u16) -> SendOptions {
    let (unordered, reliability) = match stream {
        1 => (true, Reliability::Reliable),
        2 => (false, Reliability::MaxRetransmits(1)),
        3 => (true, Reliability::MaxLifetime(Duration::from_millis(80))),
        // The last one is reset now and then.
        _ => (false, Reliability::Reliable),
    };
    SendOptions { unordered, reliability }
}

const RESET: u16 = 4;
const IN_PARTS: u16 = 5;
const STREAMS: usize = 6;

/// What was given on each stream, and of the message that is open.
#[derive(Default)]
struct Sent {
    whole: [Vec<Vec<u8>>; STREAMS],
    open: Option<Vec<u8>>,
}

fn message(number: u32, len: usize) -> Bytes {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend((4..len).map(|at| (number as usize * 31 + at) as u8));
    Bytes::from(bytes)
}

fn do_step(world: &mut World<Peer>, host: Host, step: Step, mode: &Config, number: u32, sent: &mut Sent) {
    match step {
        Step::Send(stream, len) => {
            let data = message(number, len);
            if world[host].association.send(stream, 51, data.clone(), options(stream)).is_ok() {
                sent.whole[usize::from(stream)].push(data.to_vec());
            }
        }
        Step::Give(len) => {
            let association = &mut world[host].association;
            if sent.open.is_none() && association.begin_message(IN_PARTS, 51, SendOptions::default()).is_ok() {
                sent.open = Some(Vec::new());
            }
            let part = message(number, len);
            if let Some(open) = &mut sent.open
                && association.append_part(IN_PARTS, part.clone()).is_ok()
            {
                open.extend(part);
            }
        }
        Step::Finish => finish(&mut world[host].association, sent),
        Step::Migrate => migrate(world, host, mode, number.into()),
        Step::Reset => _ = world[host].association.reset_stream(RESET),
        Step::ToggleReading => world[host].is_reading ^= true,
        Step::Fetch => {
            let event = world[host].association.poll_event();
            world[host].events.extend(event);
        }
    }
}

fn finish(association: &mut Association, sent: &mut Sent) {
    let is_finished = association.finish_message(IN_PARTS).is_ok();
    sent.whole[usize::from(IN_PARTS)].extend(sent.open.take().filter(|_| is_finished));
}

/// Messages, put together if they came in parts.
fn received_on(world: &World<Peer>, host: Host, stream: u16) -> Vec<Vec<u8>> {
    let (mut whole, mut parts) = (Vec::new(), Vec::new());
    for event in &world[host].events {
        match event {
            Event::Message { stream: on, data, .. } if *on == stream => whole.push(data.to_vec()),
            Event::MessagePart { stream: on, data, is_first, is_last, .. } if *on == stream => {
                assert_eq!(*is_first, parts.is_empty(), "one of a stream at a time");
                parts.extend_from_slice(data);
                if *is_last {
                    whole.push(std::mem::take(&mut parts));
                }
            }
            Event::MessageIncomplete { stream: on } if *on == stream => parts.clear(),
            _ => {}
        }
    }
    assert!(parts.is_empty(), "it ends");
    whole
}

/// Everything that was promised has arrived, once and in its order, and nothing else.
fn assert_delivered(world: &World<Peer>, host: Host, sent: &[Vec<Vec<u8>>; STREAMS]) {
    for (stream, sent) in (0..).zip(sent) {
        let mut received = received_on(world, host, stream);
        let mut sent = sent.clone();
        let SendOptions { unordered, reliability } = options(stream);
        if unordered {
            received.sort();
            sent.sort();
        }
        if reliability == Reliability::Reliable {
            assert!(received == sent, "stream {stream}: {} of {}", received.len(), sent.len());
        } else {
            let mut rest = sent.iter();
            assert!(received.iter().all(|message| rest.any(|sent| sent == message)), "stream {stream}: each once");
        }
    }
}

fn is_quiet(world: &World<Peer>) -> bool {
    [A, Z].iter().all(|host| {
        let stats = world[*host].association.stats();
        stats.in_flight == 0 && stats.buffered_amount == 0
    })
}

/// C12, C13: every packet keeps to its size, every SACK to its form.
fn assert_well_formed(world: &World<Peer>) {
    for record in world.trace().records() {
        assert!(record.payload.len() <= 1160, "C12");
        for chunk in chunks(&record.payload).into_iter().filter(|chunk| chunk[0] == 3) {
            let mut end = 0;
            for gap in chunk[16..].chunks(4).take(usize::from(u16::from_be_bytes([chunk[12], chunk[13]]))) {
                let (first, last) = (u16::from_be_bytes([gap[0], gap[1]]), u16::from_be_bytes([gap[2], gap[3]]));
                assert!(first > end + 1 && last >= first, "C13");
                end = last;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_and_whoever_moves_everything_arrives_once(
        seed in 0..1u64 << 32, mode in modes(), loss in 0..25u8, jitter_ms in 0..40u64, steps in steps(), ends in any::<bool>(),
    ) {
        let mut world = world(seed, mode.clone(), mode.clone());
        world.links(A, Z, |link| { link.loss(loss.into()).duplication(5.0).jitter(Duration::from_millis(jitter_ms)); });
        world[A].association.connect();
        let mut sent = [Sent::default(), Sent::default()];
        for (number, (wait_ms, is_z, step)) in (0..).zip(steps) {
            world.run_for(Duration::from_millis(wait_ms));
            let (host, sent) = if is_z { (Z, &mut sent[1]) } else { (A, &mut sent[0]) };
            do_step(&mut world, host, step, &mode, number, sent);
        }
        [A, Z].into_iter().for_each(|host| world[host].is_reading = true);
        for (host, sent) in [A, Z].into_iter().zip(&mut sent) {
            finish(&mut world[host].association, sent);
        }
        // The end moves, too.
        if ends {
            world[A].association.shutdown();
        }
        for number in 0..60 {
            world.run_for(Duration::from_millis(17));
            migrate(&mut world, if number % 2 == 0 { A } else { Z }, &mode, 1000 + number);
        }
        world.links(A, Z, |link| { link.heal(); });
        world.run_until(is_quiet, Duration::from_secs(60));
        world.run();
        assert_delivered(&world, Z, &sent[0].whole);
        if !ends {
            assert_delivered(&world, A, &sent[1].whole);
        }
        for host in [A, Z] {
            let notices = world[host].notices();
            prop_assert_eq!(&notices[0], &Event::Connected);
            let is_quiet = |event: &Event| matches!(
                event,
                Event::OutgoingStreamReset { .. } | Event::IncomingStreamReset { .. } | Event::MessagePart { .. } | Event::MessageIncomplete { .. }
            );
            let rest = if ends { &notices[1..notices.len() - 1] } else { &notices[1..] };
            prop_assert!(rest.iter().all(is_quiet), "{:?}", notices);
            // Whose last answer is lost may hear of the end by an ABORT, if an earlier packet arrives after its association's.
            let has_ended = matches!(notices.last(), Some(Event::Closed(CloseReason::Shutdown | CloseReason::PeerAborted { cause: None, .. })));
            prop_assert_eq!(has_ended, ends, "{:?}: {:?}", host, notices);
        }
        assert_well_formed(&world);
    }

    /// Any bytes, and those of an association with some of them changed.
    #[test]
    fn any_bytes_are_refused_or_work(changes in prop::collection::vec((any::<u16>(), any::<u8>()), 0..4), cut in any::<u16>(), interleaving: bool) {
        let mode = config(|config| config.interleaving = interleaving);
        let (state, now) = busy(&mode);
        let mut bytes = state.clone();
        for (at, value) in changes {
            let at = usize::from(at) % bytes.len();
            bytes[at] = value;
        }
        if cut % 4 == 0 {
            bytes.truncate(usize::from(cut) % bytes.len());
        }
        let Ok(mut association) = Association::resume(mode.clone(), Seed::for_test(7), &bytes, now) else { return Ok(()) };
        let mut out = Vec::new();
        for second in 0..5 {
            let now = now + Duration::from_secs(second);
            association.handle_timeout(now);
            for _ in 0..100 {
                out.clear();
                if !association.poll_packet(now, 65_535, &mut out) {
                    break;
                }
            }
            while association.poll_event().is_some() {}
        }
        drop(association.export(now));
    }
}

/// The bytes of an association in the middle of everything.
fn busy(mode: &Config) -> (Vec<u8>, Instant) {
    let mut world = connected_with(3, mode.clone(), mode.clone());
    world.links(A, Z, |link| {
        link.loss(20.0);
    });
    for host in [A, Z] {
        for number in 0..30 {
            let stream = number as u16 % 5;
            let data = message(number, 300 + number as usize * 400);
            world[host].association.send(stream, 51, data, options(stream)).unwrap();
        }
    }
    world.run_for(Duration::from_millis(70));
    world[A].association.reset_stream(RESET).unwrap();
    world[A].is_reading = false;
    world.run_for(Duration::from_millis(60));
    let now = world.now();
    let placeholder = Association::new(Config::default(), Seed::for_test(0));
    let state = std::mem::replace(&mut world[A].association, placeholder).export(now).unwrap();
    (state.as_bytes().to_vec(), now)
}

#[test]
fn without_loss_nothing_is_sent_twice_and_every_packet_is_as_if_nobody_had_moved() {
    let mut traces = Vec::new();
    for is_moving in [true, false] {
        let mut world = connected_with(1, plain(), plain());
        for round in 0..40 {
            for host in [A, Z] {
                world[host].send(round % 3, &vec![round as u8; 20_000]);
                if is_moving {
                    migrate(&mut world, host, &plain(), round.into());
                }
            }
            world.run_for(Duration::from_millis(7));
        }
        world.run_for(Duration::from_secs(10));
        for host in [A, Z] {
            let stats = world[host].association.stats();
            assert_eq!((stats.retransmitted, stats.timeouts, stats.messages_received), (0, 0, 40));
            assert_eq!(stats.discarded, wigwag_sctp::Discarded::default());
        }
        traces.push(world.trace().hash());
    }
    assert_eq!(traces[0], traces[1]);
}

#[test]
fn what_a_path_carries_is_known_after_moving() {
    let mode = config(|config| config.mtu_max = 1400);
    let mut world = world(1, mode.clone(), mode.clone());
    for host in [A, Z] {
        world[host].wire.limit = 1500;
    }
    world.links(A, Z, |link| {
        link.mtu(1340).loss(5.0);
    });
    world[A].association.connect();
    for number in 0..600 {
        migrate(&mut world, if number % 2 == 0 { A } else { Z }, &mode, number);
        if number % 10 == 0 {
            world[A].send(0, &[7; 20_000]);
        }
        world.run_for(Duration::from_millis(13));
    }
    world.run();
    assert!((1316..=1340).contains(&world[A].association.stats().mtu), "{}", world[A].association.stats().mtu);
    assert_eq!(world[Z].received().len(), 60);
}

#[test]
fn every_state_can_be_exported_but_the_end() {
    let mut world = world(1, plain(), plain());
    let mut states = Vec::new();
    let mut step = |world: &mut World<Peer>| {
        for host in [A, Z] {
            states.push(world[host].association.state());
            migrate(world, host, &plain(), 9);
        }
        world.run_for(Duration::from_millis(5));
    };
    world[A].send(0, b"before");
    step(&mut world);
    world[A].association.connect();
    (0..16).for_each(|_| step(&mut world));
    world[A].send(0, &[7; 50_000]);
    world[Z].send(1, &[7; 200_000]);
    world[A].association.shutdown();
    (0..200).for_each(|_| step(&mut world));
    for state in [
        State::CookieWait,
        State::CookieEchoed,
        State::Established,
        State::ShutdownPending,
        State::ShutdownSent,
        State::ShutdownReceived,
        State::ShutdownAckSent,
        State::Closed,
    ] {
        assert!(states.contains(&state), "{state:?}: {states:?}");
    }
    assert_eq!(world[Z].received().len(), 2);
    let now = world.now();
    let ended = std::mem::replace(&mut world[A].association, Association::new(plain(), Seed::for_test(1)));
    assert_eq!(ended.export(now).map(drop), Err(ExportError::Ended));
}

/// Time that passes on the way is not theirs.
#[test]
fn lifetimes_go_on_where_they_were() {
    let mut world = connected_with(1, plain(), plain());
    world.link(A, Z).loss(100.0);
    // As many as may be on their way; the next one waits.
    (0..12).for_each(|_| world[A].send(0, &[7; 1000]));
    let options = SendOptions { unordered: false, reliability: Reliability::MaxLifetime(Duration::from_millis(100)) };
    world[A].association.send(0, 51, Bytes::from_static(b"soon too old"), options).unwrap();
    world.run_for(Duration::from_millis(60));
    assert_eq!(world[A].association.buffered_amount(0), 12);
    let now = world.now();
    let placeholder = Association::new(Config::default(), Seed::for_test(0));
    let state = std::mem::replace(&mut world[A].association, placeholder).export(now).unwrap();
    let later = now + Duration::from_secs(1_000_000);
    let mut association = Association::resume(plain(), Seed::for_test(5), state.as_bytes(), later).unwrap();
    let too_old = later + Duration::from_millis(40) + Duration::from_nanos(1);
    while association.poll_event().is_some() {}
    assert_eq!(association.poll_timeout(later), Some(too_old));
    association.handle_timeout(later + Duration::from_millis(40));
    assert_eq!((association.stats().messages_abandoned, association.buffered_amount(0)), (0, 12));
    association.handle_timeout(too_old);
    assert_eq!((association.stats().messages_abandoned, association.buffered_amount(0)), (1, 0));
}

#[test]
fn a_configuration_that_cannot_go_on_is_told() {
    let mode = config(|config| config.interleaving = true);
    let (state, now) = busy(&mode);
    let resume = |configure: fn(&mut Config)| {
        let mut config = mode.clone();
        configure(&mut config);
        Association::resume(config, Seed::for_test(1), &state, now).map(drop)
    };
    assert_eq!(resume(|_| {}), Ok(()));
    assert_eq!(resume(|config| config.local_port = 5001), Err(ResumeError::OtherConfig("ports")));
    assert_eq!(resume(|config| config.interleaving = false), Err(ResumeError::OtherConfig("extensions")));
    assert_eq!(resume(|config| config.rto_max = Duration::from_millis(1)), Ok(()), "limits and times are new");
    assert_eq!(resume(|config| config.congestion_control = CongestionControl::Bbr), Ok(()));
    assert_eq!(resume(|config| config.mtu = 1300), Ok(()));
    assert_eq!(
        resume(|config| config.mtu = 1156),
        Err(ResumeError::Mtu { needed: 1160, allowed: 1156 }),
        "what is in flight would not fit"
    );
    assert_eq!(resume(|config| (config.mtu, config.mtu_max) = (1156, 1160)), Ok(()), "there is room for it");
}

/// A path that carries less since: what had left before is as long as it was, and arrives all the same.
#[test]
fn an_association_whose_packets_were_longer_before_says_how_long() {
    let mut world = connected_with(1, Config::default(), Config::default());
    world.link(A, Z).loss(100.0);
    world[A].send(0, &[7; 5000]);
    world.run_for(Duration::from_millis(10));
    world[A].association.set_mtu(600);
    world[A].send(0, &[8; 5000]);
    let now = world.now();
    let placeholder = Association::new(Config::default(), Seed::for_test(0));
    let state = std::mem::replace(&mut world[A].association, placeholder).export(now).unwrap();
    let resume =
        |configure: fn(&mut Config)| Association::resume(config(configure), Seed::for_test(9), state.as_bytes(), now);
    let refused = resume(|config| config.mtu = 600).map(drop).unwrap_err();
    let ResumeError::Mtu { needed, allowed: 600 } = refused else { panic!("{refused}") };
    assert_eq!(needed, Config::default().mtu & !3);
    assert!(refused.to_string().contains("600"), "{refused}");
    world[A].association = resume(|_| {}).unwrap();
    world[A].association.set_mtu(600);
    world.link(A, Z).heal();
    world.run();
    assert_eq!(world[Z].received(), [(0, vec![7; 5000]), (0, vec![8; 5000])]);
}

/// What fits no packet would be owed for ever.
#[test]
fn a_chunk_in_flight_that_fits_no_packet_is_refused() {
    for interleaving in [false, true] {
        let mut mode = config(|config| config.interleaving = interleaving);
        let (state, now) = busy(&mode);
        mode.mtu_max = 1400;
        let header_len = if interleaving { 20 } else { 16 };
        let full = 1160 - 12 - header_len;
        let at = state.windows(4).position(|len| len == (full as u32).to_be_bytes()).unwrap();
        for len in [1, full, 1400 - 12 - header_len, 1400 - 12 - header_len + 1, 2000, 65_000, 65_001] {
            let chunk = [&(len as u32).to_be_bytes()[..], &vec![7; len]].concat();
            let bytes = [&state[..at], &chunk, &state[at + 4 + full..]].concat();
            let resumed = Association::resume(mode.clone(), Seed::for_test(1), &bytes, now);
            if len > 1400 - 12 - header_len {
                assert!(
                    matches!(resumed.map(drop), Err(ResumeError::Mtu { needed, allowed: 1400 }) if needed > 1400),
                    "{len}"
                );
                continue;
            }
            let mut association = resumed.unwrap();
            let (mut now, mut out) = (now, Vec::new());
            for _ in 0..10 {
                association.handle_timeout(now);
                while association.poll_packet(now, 1400, &mut out) {
                    assert!(out.len() <= 1400);
                    out.clear();
                }
                while association.poll_event().is_some() {}
                assert!(association.poll_timeout(now).unwrap() > now, "{len} bytes are owed for ever");
                now += Duration::from_secs(1);
            }
        }
    }
}

#[test]
fn what_is_no_exported_association_is_told() {
    let mode = Config::default();
    let (state, now) = busy(&mode);
    let resume = |bytes: &[u8]| Association::resume(mode.clone(), Seed::for_test(1), bytes, now).map(drop);
    assert_eq!(resume(&[]), Err(ResumeError::Version { expected: 1, found: 0 }));
    assert_eq!(resume(&[2, 1]), Err(ResumeError::Version { expected: 1, found: 2 }));
    for len in 1..state.len() {
        assert!(resume(&state[..len]).is_err(), "{len} bytes of {}", state.len());
    }
    let more = [state.as_slice(), &[0]].concat();
    assert_eq!(resume(&more), Err(ResumeError::Malformed));
}

#[test]
fn what_is_exported_is_not_printed() {
    let now = wigwag_sim::origin();
    let state = Association::new(plain(), Seed::for_test(1)).export(now).unwrap();
    assert_eq!(format!("{state:?}"), format!("ExportedState({} bytes)", state.as_bytes().len()));
}

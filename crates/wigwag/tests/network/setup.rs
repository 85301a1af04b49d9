//! How a call is set up when nothing goes wrong, and when everything does.

use crate::common::{
    Peer, answer, connect_with_channel, connected_with_channel, dissect, negotiate, offer, pair, pair_speaking,
};
use expect_test::expect;
use std::time::Duration;
use wigwag::sansio::Rng;
use wigwag::{ConnectionState, DataChannelInit, IceCandidate, Version};
use wigwag_sim::{A, Fate, Host, World, Z, address};

/// Nothing is lost and no timer need fire, so nothing is masked by sending again.
#[test]
fn the_plain_set_up_reads_like_the_rfcs() {
    let world = connected_with_channel(1, "chat", DataChannelInit::default());
    expect![[r#"
          0 ms  A → Z  Binding request
          0 ms  A ← Z  Binding request
         20 ms  A ← Z  Binding response
         20 ms  A → Z  Binding response
         40 ms  A ← Z  ClientHello
         40 ms  A ← Z  ClientHello
         50 ms  A → Z  Binding request
         60 ms  A → Z  ServerHello
         60 ms  A → Z  Handshake
         70 ms  A ← Z  Binding response
         80 ms  A ← Z  Handshake
         80 ms  A ← Z  data
        100 ms  A → Z  data
        100 ms  A → Z  data
        100 ms  A → Z  data
        120 ms  A ← Z  data
        120 ms  A ← Z  data
        140 ms  A → Z  data
        140 ms  A → Z  data
        160 ms  A ← Z  data
        160 ms  A ← Z  data
    "#]]
    .assert_eq(&world.ladder(dissect));
}

/// The same with a peer that cannot do better.
#[test]
fn the_set_up_with_dtls_1_2_reads_like_the_rfcs() {
    let mut world = pair_speaking(1, Version::Dtls12);
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    expect![[r#"
          0 ms  A → Z  Binding request
          0 ms  A ← Z  Binding request
         20 ms  A ← Z  Binding response
         20 ms  A → Z  Binding response
         40 ms  A ← Z  ClientHello
         50 ms  A → Z  Binding request
         60 ms  A → Z  ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone
         70 ms  A ← Z  Binding response
         80 ms  A ← Z  Certificate, ClientKeyExchange, CertificateVerify, ChangeCipherSpec, Finished
        100 ms  A → Z  ChangeCipherSpec, Finished
        100 ms  A → Z  data
        120 ms  A ← Z  data
        120 ms  A ← Z  data
        140 ms  A → Z  data
        140 ms  A → Z  data
        160 ms  A ← Z  data
        160 ms  A ← Z  data
        180 ms  A → Z  data
        200 ms  A ← Z  data
    "#]]
    .assert_eq(&world.ladder(dissect));
}

#[test]
fn both_sides_tell_every_state_in_its_order() {
    let mut world = connected_with_channel(2, "chat", DataChannelInit::default());
    world[A].connection.close();
    world.run_until(|world| world[A].closed.is_some() && world[Z].closed.is_some(), Duration::from_secs(5));
    expect![[r#"
        IceGatheringStateChanged(Gathering)
        IceGatheringStateChanged(Complete)
        IceConnectionStateChanged(Checking)
        ConnectionStateChanged(Connecting)
        IceConnectionStateChanged(Connected)
        IceConnectionStateChanged(Completed)
        ConnectionStateChanged(Connected)
        ChannelOpened(ChannelId(0))
        SignalingStateChanged(Closed)
        ConnectionStateChanged(Closed)
        ChannelClosed(ChannelId(0))
        Closed(Local)"#]]
    .assert_eq(&states(&world[A]));
    expect![[r#"
        IceGatheringStateChanged(Gathering)
        IceGatheringStateChanged(Complete)
        IceConnectionStateChanged(Checking)
        ConnectionStateChanged(Connecting)
        IceConnectionStateChanged(Connected)
        IceConnectionStateChanged(Completed)
        ConnectionStateChanged(Connected)
        DataChannel(ChannelId(0))
        ChannelOpened(ChannelId(0))
        SignalingStateChanged(Closed)
        ConnectionStateChanged(Closed)
        ChannelClosed(ChannelId(0))
        Closed(Peer)"#]]
    .assert_eq(&states(&world[Z]));
    assert_eq!(world[A].connection.poll_timeout(world.now()), None, "nothing is owed after the end");
}

fn states(peer: &Peer) -> String {
    peer.events.iter().filter(|event| !event.starts_with("IceCandidate(")).cloned().collect::<Vec<_>>().join("\n")
}

/// What Z sends stands in its description before A has it: nothing is lost by being early.
#[test]
fn a_client_hello_that_overtakes_the_answer_is_not_lost() {
    let mut world = pair(3);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = offer(&mut world, A);
    let answer = answer(&mut world, Z, offer);
    world.run_for(Duration::from_millis(500));
    world[A].connection.set_remote_description(answer).unwrap();
    world.run_until(|world| world[Z].channels.contains_key("chat"), Duration::from_secs(5));
}

/// The same messages arrive whatever the network does.
#[test]
fn a_thousand_messages_arrive_once_and_in_order_through_loss_duplication_and_reordering() {
    let mut hits = std::collections::BTreeMap::new();
    for seed in wigwag_sim::seeds(200) {
        let mut world = pair(seed);
        world.links(A, Z, |link| {
            link.loss(20.0)
                .duplication(5.0)
                .reordering(5.0, Duration::from_millis(60))
                .jitter(Duration::from_millis(5));
        });
        connect_with_channel(&mut world, "bulk", DataChannelInit::default());
        deliver_a_thousand(&mut world, seed);
        for fate in [Fate::Lost, Fate::Duplicated, Fate::Reordered] {
            *hits.entry(fate).or_insert(0) += world.count(fate);
        }
    }
    println!("faults: {hits:?}");
    assert!(hits.values().all(|count| *count > 100), "every fault has hit: {hits:?}");
}

fn deliver_a_thousand(world: &mut World<Peer>, seed: u64) {
    let mut rng = Rng::new(wigwag::Seed::for_test(seed));
    let messages: Vec<Vec<u8>> = (0..1000u32)
        .map(|number| {
            let len = if rng.one_in(20) { rng.below(6000) } else { rng.below(200) } as usize;
            number.to_be_bytes().into_iter().chain((0..len).map(|at| (at as u32 ^ number) as u8)).collect()
        })
        .collect();
    let channel = world[A].channels["bulk"];
    for message in &messages {
        world[A].connection.send(channel, message.clone().into(), true).expect("a thousand small messages fit");
    }
    world.run_until(|world| world[Z].messages.len() >= messages.len(), Duration::from_secs(600));
    world.run_for(Duration::from_secs(2));
    let arrived: Vec<_> = world[Z].messages.iter().map(|(_, data, _)| data.to_vec()).collect();
    assert!(arrived == messages, "{} messages arrived, once and in order", arrived.len());
}

#[test]
fn the_connection_is_found_again_after_silence_and_lost_after_thirty_seconds_of_it() {
    let mut world = connected_with_channel(4, "chat", DataChannelInit::default());
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    world.run_until(|world| world[A].state == ConnectionState::Disconnected, Duration::from_secs(20));
    world.links(A, Z, |link| {
        link.loss(0.0);
    });
    world.run_until(|world| world[A].state == ConnectionState::Connected, Duration::from_secs(20));
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    let silence = world.age();
    world.run_until(|world| world[A].state == ConnectionState::Failed, Duration::from_secs(60));
    // RFC 7675 §5.1: consent expires 30 s after the last answer, which came up to 6 s before the silence or just then.
    assert!((20..=36).contains(&(world.age() - silence).as_secs()), "{:?}", world.age() - silence);
    let channel = world[A].channels["chat"];
    let _ = world[A].connection.send(channel, "to nobody".into(), false);
    let before = world.trace().records().len();
    world.run_for(Duration::from_secs(60));
    let after = &world.trace().records()[before..];
    assert!(
        after.iter().all(|record| record.payload.first().is_none_or(|first| *first < 4)),
        "nothing but STUN after consent"
    );
}

#[test]
fn two_that_negotiate_with_no_way_between_them_fail_in_due_time() {
    let mut world = pair(5);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    negotiate(&mut world);
    world.run_until(|world| world[A].state == ConnectionState::Failed, Duration::from_secs(60));
    // RFC 8863 §4: the agent is patient for 39.5 s.
    assert!(world.age() >= Duration::from_millis(39_500), "{:?}", world.age());
}

/// W3C `addIceCandidate` is no error then: candidates are on their way while a call fails, and whoever hands them in need not know.
#[test]
fn a_candidate_that_comes_after_the_failure_is_no_error() {
    let mut world = pair(7);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    world.links(A, Z, |link| {
        link.loss(100.0);
    });
    negotiate(&mut world);
    world.run_until(|world| world[A].state == ConnectionState::Failed, Duration::from_secs(60));
    let candidate = IceCandidate::new("candidate:7 1 udp 2130706431 192.0.2.77 7000 typ host");
    world[A].connection.add_ice_candidate(Some(&candidate)).unwrap();
    world[A].connection.add_ice_candidate(None).unwrap();
    world.run_for(Duration::from_secs(1));
    assert_eq!(world[A].state, ConnectionState::Failed, "only a restart helps, and that has candidates of its own");
}

#[test]
fn a_candidate_for_a_section_that_nobody_described_is_an_error() {
    let mut world = pair(7);
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    negotiate(&mut world);
    let mut candidate = IceCandidate::new("candidate:7 1 udp 2130706431 192.0.2.77 7000 typ host");
    candidate.sdp_mid = Some("video".to_owned());
    let refused = world[A].connection.add_ice_candidate(Some(&candidate)).expect_err("there is only one, called 0");
    assert!(refused.to_string().contains("no m-section \"video\""), "{refused}");
    candidate.sdp_mid = Some("0".to_owned());
    world[A].connection.add_ice_candidate(Some(&candidate)).unwrap();
}

/// Nothing can come of it, and nobody should have to wait 39.5 s to hear that.
#[test]
fn who_has_no_address_is_told_so_at_once() {
    let mut world = pair(6);
    let told =
        |world: &World<Peer>, host: Host| world[host].events.iter().filter(|event| *event == "NoLocalAddress").count();
    world[Z].connection.remove_local_address(address(Z));
    world[A].connection.create_data_channel("chat", DataChannelInit::default()).unwrap();
    let offer = offer(&mut world, A);
    world.run_for(Duration::from_millis(1));
    assert_eq!((told(&world, A), told(&world, Z)), (0, 0), "there is time: nobody has answered");
    let answer = answer(&mut world, Z, offer);
    world[A].connection.set_remote_description(answer).unwrap();
    world.run_for(Duration::from_millis(1));
    assert_eq!((told(&world, A), told(&world, Z)), (0, 1));
    world[Z].connection.add_local_address(address(Z)).unwrap();
    world.run_until(|world| world[Z].channels.contains_key("chat"), Duration::from_secs(10));
    assert_eq!((told(&world, A), told(&world, Z)), (0, 1));
    // In a call, the last one vanishes.
    world[Z].connection.remove_local_address(address(Z));
    world.run_for(Duration::from_secs(1));
    assert_eq!((told(&world, A), told(&world, Z)), (0, 2));
    world[Z].connection.add_local_address(address(Z)).unwrap();
    world.run_for(Duration::from_secs(9));
    assert_eq!((world[Z].state, told(&world, Z)), (ConnectionState::Connected, 2));
    world[Z].connection.close();
    world[Z].connection.remove_local_address(address(Z));
    world.run_for(Duration::from_secs(1));
    assert_eq!(told(&world, Z), 2, "it is over");
}

//! Data channels of every kind, in good weather and bad.

use crate::common::{Peer, answer, connect_with_channel, connected_with_channel, negotiate, offer, pair, pair_with};
use bytes::Bytes;
use std::time::Duration;
use wigwag::{ChannelError, ChannelId, ChannelState, DataChannelInit, Reliability, SendError};
use wigwag_sim::{A, Host, World, Z};

fn send(world: &mut World<Peer>, host: Host, label: &str, data: impl Into<Bytes>) {
    let channel = world[host].channels[label];
    world[host].connection.send(channel, data.into(), true).unwrap();
}

fn lossy(world: &mut World<Peer>, percent: f64) {
    world.links(A, Z, |link| {
        link.loss(percent).jitter(Duration::from_millis(5)).reordering(5.0, Duration::from_millis(30));
    });
}

fn numbers(peer: &Peer) -> Vec<u32> {
    peer.messages.iter().map(|(_, data, _)| u32::from_be_bytes(data[..4].try_into().unwrap())).collect()
}

/// What each kind promises when one packet in ten is lost.
#[test]
fn every_kind_of_channel_keeps_its_promise_under_loss() {
    const COUNT: u32 = 300;
    let base = DataChannelInit::default;
    let kinds = [
        ("reliable", base()),
        ("unordered", base().unordered()),
        ("retransmits 0", base().max_retransmits(0)),
        ("retransmits 0 unordered", base().max_retransmits(0).unordered()),
        ("retransmits 2", base().max_retransmits(2)),
        ("lifetime", base().max_packet_life_time(Duration::from_millis(50)).unordered()),
        ("lifetime ordered", base().max_packet_life_time(Duration::from_millis(50))),
    ];
    for (label, init) in kinds {
        for seed in 0..3 {
            let mut world = pair(seed);
            connect_with_channel(&mut world, label, init.clone());
            let id = world[Z].channels[label];
            let channel = world[Z].connection.data_channel(id).unwrap();
            assert_eq!(
                (channel.is_ordered(), channel.reliability()),
                (init.is_ordered, init.reliability),
                "as announced"
            );
            lossy(&mut world, 10.0);
            for number in 0..COUNT {
                // Some are longer than a packet: what is given up is given up whole.
                let len = if number % 10 == 0 { 3000 } else { 100 };
                let mut message = number.to_be_bytes().to_vec();
                message.resize(len, number as u8);
                send(&mut world, A, label, message);
                world.run_for(Duration::from_millis(10));
            }
            world.run_for(Duration::from_secs(60));
            for (_, data, is_binary) in &world[Z].messages {
                let number = u32::from_be_bytes(data[..4].try_into().unwrap());
                assert!(*is_binary && data.len() == if number % 10 == 0 { 3000 } else { 100 });
                assert!(data[4..].iter().all(|byte| *byte == number as u8), "{label}: whole or not at all");
            }
            let arrived = numbers(&world[Z]);
            let mut sorted = arrived.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), arrived.len(), "{label}: none comes twice");
            assert!(!init.is_ordered || sorted == arrived, "{label}: in order");
            if init.reliability == Reliability::Reliable {
                assert_eq!(sorted.len(), COUNT as usize, "{label}: all of them");
            } else {
                assert!(sorted.len() > COUNT as usize / 2, "{label}: {} arrived", sorted.len());
            }
            if label.starts_with("retransmits 0") {
                assert!(sorted.len() < COUNT as usize, "{label}: some are lost");
            }
        }
    }
}

#[test]
fn strings_bytes_and_nothing_arrive_as_what_they_were_up_to_the_limit() {
    const MAX: usize = 262_144;
    let mut world = connected_with_channel(21, "chat", DataChannelInit::default());
    let id = world[A].channels["chat"];
    let mut sent = Vec::new();
    for len in [0, 1, 1200, MAX] {
        for is_binary in [false, true] {
            let data = Bytes::from(vec![b'x'; len]);
            world[A].connection.send(id, data.clone(), is_binary).unwrap();
            sent.push(("chat".to_owned(), data, is_binary));
        }
    }
    world[A].connection.send(id, "grün".into(), false).unwrap();
    sent.push(("chat".to_owned(), "grün".into(), false));
    let refused = world[A].connection.send(id, vec![0; MAX + 1].into(), true).unwrap_err();
    assert_eq!(refused, SendError::TooLarge { len: MAX + 1, max: MAX });
    assert!(refused.to_string().contains("262144") && refused.to_string().contains("262145"), "{refused}");
    world.run_for(Duration::from_secs(30));
    assert!(world[Z].messages == sent, "{} arrived", world[Z].messages.len());
    let stats = world[Z].connection.data_channel(world[Z].channels["chat"]).unwrap().stats();
    assert_eq!((stats.messages_received, stats.bytes_received), (9, (2 * (1 + 1200 + MAX) + 5) as u64));
}

/// RFC 8841 §6: what the peer's description says is the limit.
#[test]
fn the_limit_is_the_peers() {
    let mut world = pair_with(22, |host, config| {
        if host == Z {
            config.negotiation.max_message_size = 1000;
        }
    });
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    let id = world[A].channels["chat"];
    assert_eq!(
        world[A].connection.send(id, vec![0; 1001].into(), true),
        Err(SendError::TooLarge { len: 1001, max: 1000 })
    );
    world[A].connection.send(id, vec![0; 1000].into(), true).unwrap();
    send(&mut world, Z, "chat", vec![0; 5000]);
    world.run_for(Duration::from_secs(1));
    assert_eq!((world[A].messages.len(), world[Z].messages.len()), (1, 1));
}

#[test]
fn channels_that_were_agreed_on_need_no_announcement() {
    let mut world = pair(23);
    let init = DataChannelInit::default().negotiated(1001).unordered();
    for (host, label) in [(A, "mine"), (Z, "yours")] {
        world[host].connection.create_data_channel(label, init.clone()).unwrap();
    }
    assert_eq!(
        world[A].connection.create_data_channel("again", init),
        Err(ChannelError::IdUnavailable(1001)),
        "a stream is one channel"
    );
    assert_eq!(
        world[A].connection.create_data_channel("last", DataChannelInit::default().negotiated(65_535)),
        Err(ChannelError::IdUnavailable(65_535))
    );
    negotiate(&mut world);
    world.run_until(|world| [A, Z].iter().all(|host| world[*host].channels.len() == 1), Duration::from_secs(10));
    send(&mut world, A, "mine", "to yours");
    send(&mut world, Z, "yours", "to mine");
    world.run_for(Duration::from_secs(1));
    assert_eq!(world[Z].messages, [("yours".to_owned(), "to yours".into(), true)]);
    assert_eq!(world[A].messages, [("mine".to_owned(), "to mine".into(), true)]);
    assert!(!world[Z].events.iter().any(|event| event.starts_with("DataChannel(")), "nobody announced anything");
}

/// W3C: the event comes when the amount falls to the threshold from above, once.
#[test]
fn the_low_mark_of_what_is_buffered_is_told_once_each_time() {
    let mut world = connected_with_channel(24, "chat", DataChannelInit::default());
    let id = world[A].channels["chat"];
    world[A].connection.set_buffered_amount_low_threshold(id, 10_000);
    let is_low = |event: &String| event.starts_with("BufferedAmountLow(");
    for round in 1..=3 {
        for _ in 0..50 {
            send(&mut world, A, "chat", vec![7; 1000]);
        }
        assert!(world[A].connection.buffered_amount(id) > 10_000);
        world.run_for(Duration::from_secs(10));
        assert_eq!(world[A].connection.buffered_amount(id), 0);
        assert_eq!(world[A].events.iter().filter(|event| is_low(event)).count(), round);
    }
    // Below the threshold all the time: nothing to tell.
    send(&mut world, A, "chat", vec![7; 1000]);
    world.run_for(Duration::from_secs(1));
    assert_eq!(world[A].events.iter().filter(|event| is_low(event)).count(), 3);
}

#[test]
fn a_full_buffer_gives_the_message_back_and_tells_when_there_is_room() {
    let mut world = pair_with(25, |_, config| config.send_buffer = 50_000);
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    let id = world[A].channels["chat"];
    let mut sent = 0;
    let given_back = loop {
        match world[A].connection.send(id, vec![sent as u8; 1000].into(), true) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 100, "the buffer has a limit");
    };
    assert_eq!(given_back, SendError::Full(vec![sent as u8; 1000].into()));
    let mut empty = 0;
    while world[A].connection.send(id, Bytes::new(), true).is_ok() {
        empty += 1;
        assert!(empty < 100, "nothing is not free either");
    }
    assert_eq!(world[A].writable, 0);
    world.run_for(Duration::from_secs(10));
    assert_eq!(world[A].writable, 1);
    world[A].connection.send(id, vec![sent as u8; 1000].into(), true).unwrap();
    world.run_for(Duration::from_secs(1));
    assert_eq!(world[Z].messages.len(), sent + empty + 1);
}

#[test]
fn names_of_65535_bytes_arrive() {
    let [label, protocol] = ["l", "p"].map(|letter| letter.repeat(65_535));
    let mut world = pair(26);
    let too_long = world[A].connection.create_data_channel(&format!("{label}l"), DataChannelInit::default());
    assert_eq!(too_long, Err(ChannelError::NameTooLong { what: "label", len: 65_536 }));
    let too_long = DataChannelInit::default().protocol(format!("{protocol}p"));
    let too_long = world[A].connection.create_data_channel("", too_long);
    assert_eq!(too_long, Err(ChannelError::NameTooLong { what: "protocol", len: 65_536 }));
    connect_with_channel(&mut world, &label, DataChannelInit::default().protocol(protocol.clone()));
    let id = world[Z].channels[&label];
    assert_eq!(world[Z].connection.data_channel(id).unwrap().protocol(), protocol);
    world[Z].connection.send(id, "heard".into(), false).unwrap();
    world.run_for(Duration::from_secs(1));
    assert_eq!(world[A].messages.len(), 1);
}

fn open_by(world: &mut World<Peer>, host: Host, label: &str) -> ChannelId {
    world[host].connection.create_data_channel(label, DataChannelInit::default()).unwrap()
}

fn are_closed(world: &World<Peer>) -> bool {
    [A, Z].iter().all(|host| world[*host].connection.data_channels().count() == 1)
}

/// One channel stays; the others come and go, opened and closed by either side, and their streams come again.
#[test]
fn five_hundred_channels_come_and_go_and_leave_nothing() {
    let mut world = connected_with_channel(27, "stays", DataChannelInit::default());
    for round in 0..500u32 {
        let [opener, other] = if round % 2 == 0 { [A, Z] } else { [Z, A] };
        let label = format!("round {round}");
        let id = open_by(&mut world, opener, &label);
        world[opener].connection.send(id, label.clone().into(), false).unwrap();
        world.run_until(
            |world| world[other].messages.last().is_some_and(|(_, data, _)| *data == label),
            Duration::from_secs(5),
        );
        let stream = world[opener].connection.data_channel(id).unwrap().stream();
        assert!(stream.is_some_and(|stream| stream < 4), "streams are used again: {stream:?}");
        let closer = if round % 4 < 2 { opener } else { other };
        let id = world[closer].channels[&label];
        world[closer].connection.close_data_channel(id);
        if round % 5 == 0 {
            // Both at once.
            let id = world[if closer == A { Z } else { A }].channels[&label];
            world[if closer == A { Z } else { A }].connection.close_data_channel(id);
        }
        world.run_until(are_closed, Duration::from_secs(5));
    }
    world.run_for(Duration::from_secs(1));
    for host in [A, Z] {
        let count = |what: &str| world[host].events.iter().filter(|event| event.starts_with(what)).count();
        assert_eq!((count("ChannelOpened("), count("ChannelClosed(")), (501, 500));
        assert_eq!(world[host].messages.len(), 250);
        let stats = world[host].connection.transport_stats();
        assert_eq!((stats.send_buffered, stats.receive_buffered), (0, 0));
    }
}

/// The same in bad weather, in a hurry: the next channel takes the stream as soon as it can.
#[test]
fn channels_that_come_and_go_under_loss_deliver_what_was_sent() {
    for seed in 0..5 {
        let mut world = connected_with_channel(seed + 270, "stays", DataChannelInit::default());
        lossy(&mut world, 20.0);
        for round in 0..60u32 {
            let opener = if round % 2 == 0 { A } else { Z };
            let label = format!("round {round}");
            let id = open_by(&mut world, opener, &label);
            world[opener].connection.send(id, label.clone().into(), false).unwrap();
            world[opener].connection.close_data_channel(id);
            world.run_until(|world| world[opener].connection.data_channel(id).is_none(), Duration::from_secs(120));
        }
        world.run_for(Duration::from_secs(60));
        for (host, odd) in [(A, 1), (Z, 0)] {
            let expected: Vec<_> =
                (0..60).filter(|round| round % 2 == odd).map(|round| format!("round {round}")).collect();
            let mut arrived: Vec<_> =
                world[host].messages.iter().map(|(_, data, _)| String::from_utf8(data.to_vec()).unwrap()).collect();
            arrived.sort_by_key(|text| text[6..].parse::<u32>().unwrap());
            assert_eq!(arrived, expected, "seed {seed}");
            assert_eq!(world[host].connection.data_channels().count(), 1, "seed {seed}");
        }
    }
}

#[test]
fn what_is_buffered_is_sent_before_a_channel_closes() {
    let mut world = connected_with_channel(28, "chat", DataChannelInit::default());
    for _ in 0..200 {
        send(&mut world, A, "chat", vec![7; 1000]);
    }
    let id = world[A].channels["chat"];
    world[A].connection.close_data_channel(id);
    assert_eq!(world[A].connection.data_channel(id).map(|channel| channel.state()), Some(ChannelState::Closing));
    assert_eq!(
        world[A].connection.send(id, "late".into(), true),
        Err(SendError::NotOpen(ChannelState::Closing)),
        "after close nothing is taken"
    );
    world.run_until(|world| world[A].connection.data_channel(id).is_none(), Duration::from_secs(10));
    assert_eq!(world[Z].messages.len(), 200);
    assert_eq!(world[A].connection.send(id, "later".into(), true), Err(SendError::UnknownChannel));
}

/// A channel may be closed before it was ever open, and the next one lives.
#[test]
fn a_channel_closed_before_the_connection_is_up_is_never_announced() {
    let mut world = pair(29);
    let id = open_by(&mut world, A, "never");
    open_by(&mut world, A, "ever");
    let offer = offer(&mut world, A);
    world[A].connection.close_data_channel(id);
    let answer = answer(&mut world, Z, offer);
    world[A].connection.set_remote_description(answer).unwrap();
    world.run_for(Duration::from_secs(5));
    assert_eq!(world[Z].channels.keys().collect::<Vec<_>>(), ["ever"]);
    assert!(world[A].events.contains(&format!("ChannelClosed({id:?})")));
}

/// A closed channel whose announcement had no room in the buffer was never there for the peer.
#[test]
fn a_channel_closed_before_its_announcement_left_is_closed_at_once_or_with_the_peer() {
    let mut world = pair_with(30, |_, config| config.send_buffer = 5_000);
    connect_with_channel(&mut world, "chat", DataChannelInit::default());
    let chat = world[A].channels["chat"];
    while world[A].connection.send(chat, vec![0; 500].into(), true).is_ok() {}
    let id = open_by(&mut world, A, &"long".repeat(1000));
    world[A].connection.close_data_channel(id);
    world.run_for(Duration::from_secs(10));
    for host in [A, Z] {
        assert_eq!(world[host].connection.data_channels().count(), 1);
    }
    let next = open_by(&mut world, A, "next");
    world[A].connection.send(next, "hello".into(), false).unwrap();
    world.run_for(Duration::from_secs(1));
    assert!(world[Z].messages.contains(&("next".to_owned(), "hello".into(), false)));
}

/// W3C `maxMessageSize`: whoever cuts something long need not be refused first.
#[test]
fn how_long_a_message_may_be_is_told_once_it_is_agreed_upon() {
    for (line, expected) in [
        ("a=max-message-size:1000\r\n", 1000),
        ("a=max-message-size:0\r\n", usize::MAX),
        // RFC 8841 §6.1: "If the SDP 'max-message-size' attribute is not present, the default value is 64K."
        ("", 65_536),
    ] {
        let mut world = pair(70);
        let channel = world[A].connection.create_data_channel("sizes", DataChannelInit::default()).unwrap();
        assert_eq!(world[A].connection.max_message_size(), None);
        let offer = offer(&mut world, A);
        assert_eq!(world[A].connection.max_message_size(), None);
        let mut answer = answer(&mut world, Z, offer);
        answer.sdp = answer.sdp.replace("a=max-message-size:262144\r\n", line);
        world[A].connection.set_remote_description(answer).unwrap();
        assert_eq!(world[A].connection.max_message_size(), Some(expected));
        world.run_for(Duration::from_secs(3));
        let refused = world[A].connection.send(channel, Bytes::from(vec![0; 65_537]), true);
        let too_large = SendError::TooLarge { len: 65_537, max: expected };
        assert_eq!(refused, if expected < 65_537 { Err(too_large) } else { Ok(()) });
    }
}

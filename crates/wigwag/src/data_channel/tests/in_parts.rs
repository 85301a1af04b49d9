//! Messages in parts, ours and theirs, and what else goes or comes in parts.

use super::*;

/// What the peer heard on a stream: payload protocol identifiers and messages.
fn heard_on(two: &Two, of: u16) -> Vec<(u32, Vec<u8>)> {
    let message = |event: &sctp::Event| match event {
        sctp::Event::Message { stream, ppid, data, .. } if *stream == of && *ppid != ppid::DCEP => {
            Some((*ppid, data.to_vec()))
        }
        _ => None,
    };
    two.heard.iter().filter_map(message).collect()
}

#[test]
fn what_is_given_in_parts_is_a_message_like_any_other() {
    let mut two = two();
    let id = two.channels.create("ours", &DataChannelInit::default(), Some(&mut two.ours)).unwrap();
    two.run();
    let Two { channels, ours, .. } = &mut two;
    let mut give = |is_binary, parts: &[&'static [u8]]| {
        channels.begin_message(id, is_binary, Some(ours)).unwrap();
        for part in parts {
            channels.append_part(id, Bytes::from_static(part), Some(ours)).unwrap();
        }
        channels.finish_message(id, Some(ours)).unwrap();
    };
    give(true, &[b"bytes ", b"", b"\xff"]);
    give(false, &["sn\u{f8}".as_bytes().split_at(3).0, "sn\u{f8}".as_bytes().split_at(3).1, b"ball"]);
    give(true, &[]);
    give(false, &[b"", b""]);
    two.run();
    let expected = [
        (ppid::BINARY, b"bytes \xff".to_vec()),
        (ppid::STRING, "sn\u{f8}ball".as_bytes().to_vec()),
        (ppid::BINARY_EMPTY, vec![0]),
        (ppid::STRING_EMPTY, vec![0]),
    ];
    assert_eq!(heard_on(&two, 0), expected);
    let stats = two.channels.channel(id).unwrap().stats;
    assert_eq!((stats.messages_sent, stats.bytes_sent), (4, 15));
}

#[test]
fn a_channel_has_one_open_message_and_says_what_is_wrong_with_it() {
    let mut two = two();
    let Two { channels, ours, .. } = &mut two;
    let id = channels.create("ours", &DataChannelInit::default(), Some(ours)).unwrap();
    let byte = Bytes::from_static(b"x");
    assert_eq!(channels.append_part(id, byte.clone(), Some(ours)), Err(SendError::NoMessageOpen(byte.clone())));
    assert_eq!(channels.finish_message(id, Some(ours)), Err(SendError::NoMessageOpen(Bytes::new())));
    assert_eq!(channels.abandon_message(id, Some(ours)), Err(SendError::NoMessageOpen(Bytes::new())));
    assert_eq!(channels.begin_message(ChannelId(7), true, Some(ours)), Err(SendError::UnknownChannel));
    channels.begin_message(id, false, Some(ours)).unwrap();
    assert_eq!(channels.begin_message(id, true, Some(ours)), Err(SendError::MessageOpen(Bytes::new())));
    assert_eq!(channels.send(id, byte.clone(), true, Some(ours)), Err(SendError::MessageOpen(byte.clone())));
    assert_eq!(channels.send(id, Bytes::new(), true, Some(ours)), Err(SendError::MessageOpen(Bytes::new())));
    let half = Bytes::from_static(&[0xc3]);
    channels.append_part(id, half.clone(), Some(ours)).unwrap();
    assert_eq!(channels.append_part(id, byte.clone(), Some(ours)), Err(SendError::NotUtf8(byte)));
    assert_eq!(channels.finish_message(id, Some(ours)), Err(SendError::NotUtf8(Bytes::new())));
    channels.append_part(id, Bytes::from_static(&[0xb8]), Some(ours)).unwrap();
    channels.finish_message(id, Some(ours)).unwrap();
    channels.begin_message(id, false, Some(ours)).unwrap();
    channels.append_part(id, half, Some(ours)).unwrap();
    channels.abandon_message(id, Some(ours)).unwrap();
    two.run();
    assert_eq!(heard_on(&two, 0), [(ppid::STRING, "\u{f8}".as_bytes().to_vec())]);
}

pub(super) fn in_parts() -> sctp::Config {
    let mut config = sctp::Config::default();
    config.partial_delivery_from = Some(1000);
    config
}

#[test]
fn a_channel_that_closes_gives_its_open_message_up_whoever_closes_it() {
    for who in 0..3 {
        let mut two = two_with(&in_parts());
        let id = two.channels.create("ours", &DataChannelInit::default(), Some(&mut two.ours)).unwrap();
        two.run();
        two.channels.begin_message(id, true, Some(&mut two.ours)).unwrap();
        two.channels.append_part(id, vec![7; 5000].into(), Some(&mut two.ours)).unwrap();
        two.run();
        match who {
            0 => two.channels.close(id, Some(&mut two.ours)),
            1 => two.theirs.reset_stream(0).unwrap(),
            _ => two.channels.abandon_message(id, Some(&mut two.ours)).unwrap(),
        }
        if who == 0 {
            let late = Bytes::from_static(b"late");
            let refused = two.channels.append_part(id, late, Some(&mut two.ours));
            assert_eq!(refused, Err(SendError::NotOpen(ChannelState::Closing)));
        }
        two.run();
        let told = two.heard.iter().filter(|event| matches!(event, sctp::Event::MessageIncomplete { stream: 0 }));
        assert_eq!(told.count(), 1);
        assert_eq!(two.has_reset(0), who < 2);
    }
}

/// RFC 3758 is optional: such a peer takes every message that ends for a whole one. So it ends with its last part, and the channel after it.
#[test]
fn a_channel_closes_behind_its_open_message_if_the_peer_understands_no_giving_up() {
    const FORWARD_TSN: u8 = 192;
    const I_FORWARD_TSN: u8 = 194;
    for (is_ours, is_sent) in [(true, true), (false, true), (true, false), (false, false)] {
        let mut two = two_without(&[FORWARD_TSN, I_FORWARD_TSN]);
        let init = DataChannelInit::default().negotiated(0);
        let id = two.channels.create("ours", &init, Some(&mut two.ours)).unwrap();
        two.run();
        two.channels.begin_message(id, true, Some(&mut two.ours)).unwrap();
        two.channels.append_part(id, vec![7; if is_sent { 5000 } else { 1 }].into(), Some(&mut two.ours)).unwrap();
        two.run();
        if is_sent {
            let refused = two.channels.abandon_message(id, Some(&mut two.ours));
            assert_eq!(refused, Err(SendError::CannotAbandon));
        }
        if is_ours {
            two.channels.close(id, Some(&mut two.ours));
        } else {
            two.theirs.reset_stream(0).unwrap();
        }
        two.run();
        assert_eq!(
            two.channels.channel(id).map(|channel| channel.state),
            (is_ours || is_sent).then_some(ChannelState::Closing)
        );
        assert_eq!(two.has_reset(0), !is_sent, "there is nothing to wait for");
        let refused = two.channels.begin_message(id, true, Some(&mut two.ours));
        let again = two.channels.send(id, Bytes::from_static(b"another"), true, Some(&mut two.ours));
        let part = Bytes::from(vec![8; 3000]);
        let given = two.channels.append_part(id, part.clone(), Some(&mut two.ours));
        if is_sent {
            assert_eq!(refused, Err(SendError::NotOpen(ChannelState::Closing)));
            assert_eq!(again, Err(SendError::NotOpen(ChannelState::Closing)));
            assert_eq!(given, Ok(()));
            two.run();
            assert!(!two.has_reset(0) && !two.told.contains(&Event::Closed(id)));
            let refused = two.channels.abandon_message(id, Some(&mut two.ours));
            assert_eq!(refused, Err(SendError::CannotAbandon));
            two.channels.finish_message(id, Some(&mut two.ours)).unwrap();
        } else {
            assert!(given.is_err());
        }
        two.run();
        if is_ours {
            two.theirs.reset_stream(0).unwrap();
            two.run();
        }
        assert!(two.has_reset(0) && two.told.contains(&Event::Closed(id)), "{:?}", two.told);
        let mut came = Vec::new();
        for event in &two.heard {
            match event {
                sctp::Event::MessagePart { data, .. } | sctp::Event::Message { data, .. } => {
                    came.extend_from_slice(data);
                }
                _ => {}
            }
        }
        let whole = [vec![7; 5000], vec![8; 3000]].concat();
        assert_eq!(came, if is_sent { whole } else { Vec::new() });
    }
}

/// A peer may refuse the reset that an earlier channel of the stream has asked for, and that is heard late.
#[test]
fn a_refused_reset_is_not_that_of_a_channel_that_has_yet_to_finish_a_message() {
    let mut two = two_without(&[192, 194]);
    let id = two.channels.create("ours", &DataChannelInit::default().negotiated(0), Some(&mut two.ours)).unwrap();
    two.run();
    two.channels.begin_message(id, true, Some(&mut two.ours)).unwrap();
    two.channels.append_part(id, vec![7; 5000].into(), Some(&mut two.ours)).unwrap();
    two.run();
    two.channels.close(id, Some(&mut two.ours));
    two.channels.handle_refused_reset(0);
    assert_eq!(two.channels.channel(id).map(|channel| channel.state), Some(ChannelState::Closing));
    two.channels.finish_message(id, Some(&mut two.ours)).unwrap();
    two.run();
    assert!(two.has_reset(0));
}

#[test]
fn a_message_that_lived_too_long_is_given_up_and_the_channel_goes_on() {
    let mut two = two_with(&in_parts());
    let init = DataChannelInit::default().max_packet_life_time(Duration::from_millis(100));
    let id = two.channels.create("ours", &init, Some(&mut two.ours)).unwrap();
    two.run();
    two.channels.begin_message(id, true, Some(&mut two.ours)).unwrap();
    two.channels.append_part(id, vec![7; 5000].into(), Some(&mut two.ours)).unwrap();
    two.run();
    let part = Bytes::from_static(b"late");
    assert_eq!(two.channels.append_part(id, part.clone(), Some(&mut two.ours)), Err(SendError::Abandoned));
    let refused = two.channels.append_part(id, part.clone(), Some(&mut two.ours));
    assert_eq!(refused, Err(SendError::NoMessageOpen(part.clone())));
    two.channels.send(id, part, true, Some(&mut two.ours)).unwrap();
    two.run();
    assert_eq!(heard_on(&two, 0), [(ppid::BINARY, b"late".to_vec())]);
}

/// What is told of a message in parts: of each part its length, and whether it is the first and the last.
fn told_parts(two: &Two) -> Vec<(usize, bool, bool)> {
    let part = |event: &Event| match event {
        Event::MessagePart { data, is_first, is_last, .. } => Some((data.len(), *is_first, *is_last)),
        _ => None,
    };
    two.told.iter().filter_map(part).collect()
}

#[test]
fn parts_of_what_is_no_message_of_a_channel_are_counted_once() {
    let mut two = two_with(&in_parts());
    two.say(1, ppid::DCEP, &open("theirs"));
    two.told.clear();
    two.say(1, 1234, &[0; 5000]);
    two.say(1, ppid::BINARY_EMPTY, &[0; 5000]);
    two.say(3, ppid::STRING, &[0; 5000]);
    two.say(5, ppid::DCEP, &[9; 5000]);
    assert_eq!(two.channels.drops(), DataChannelDrops { unknown_ppid: 2, no_channel: 1, bad_dcep: 1, refused_open: 0 });
    assert!(two.has_reset(5), "as of any that does not decode");
    assert!(two.told.is_empty());
    two.say(1, ppid::BINARY, &[0; 5000]);
    let parts = told_parts(&two);
    assert_eq!(parts.iter().map(|(len, ..)| len).sum::<usize>(), 5000);
    assert!(parts.len() > 2 && parts[0].1 && parts[parts.len() - 1].2);
    let stats = two.channels.channel(ChannelId(0)).unwrap().stats;
    assert_eq!((stats.messages_received, stats.bytes_received), (1, 5000));
}

#[test]
fn a_message_in_parts_that_never_ends_is_told_of_once_before_the_channel_closes() {
    for is_ours in [false, true] {
        let mut two = two_with(&in_parts());
        two.say(1, ppid::DCEP, &open("theirs"));
        two.told.clear();
        two.theirs.begin_message(1, ppid::BINARY, sctp::SendOptions::default()).unwrap();
        two.theirs.append_part(1, vec![7; 5000].into()).unwrap();
        two.run();
        let parts = told_parts(&two).len();
        assert!(parts > 0);
        if is_ours {
            // What still comes of it is nothing that a closed channel would tell.
            two.channels.close(ChannelId(0), Some(&mut two.ours));
            two.theirs.append_part(1, vec![7; 5000].into()).unwrap();
            two.theirs.finish_message(1).unwrap();
            two.theirs.reset_stream(1).unwrap();
        } else {
            two.theirs.abandon_message(1).unwrap();
            two.theirs.reset_stream(1).unwrap();
        }
        two.run();
        let ends: Vec<_> = two.told.iter().filter(|event| !matches!(event, Event::MessagePart { .. })).collect();
        assert_eq!(ends, [&Event::MessageIncomplete(ChannelId(0)), &Event::Closed(ChannelId(0))]);
        assert_eq!(told_parts(&two).len(), parts);
    }
}

/// The ACK of a channel may wait for the reset of its stream; no message holds it up for ever.
#[test]
fn a_channel_that_owes_an_acknowledgement_takes_no_open_message() {
    let mut two = two();
    two.say(1, ppid::DCEP, &open("first"));
    two.channels.close(ChannelId(0), Some(&mut two.ours));
    two.channels.handle_incoming_reset(1, &mut two.ours);
    two.channels.handle_message(1, ppid::DCEP, open("another").into(), &mut two.ours);
    let id = two.channels.by_stream[&1];
    let refused = two.channels.begin_message(id, true, Some(&mut two.ours));
    two.told.clear();
    two.run();
    assert!(!two.told.contains(&Event::Closed(id)), "{:?}", two.told);
    assert_eq!(refused, Err(SendError::Full(Bytes::new())));
    assert!(two.told.contains(&Event::Writable));
    two.channels.begin_message(id, true, Some(&mut two.ours)).unwrap();
    two.channels.append_part(id, vec![7; 5000].into(), Some(&mut two.ours)).unwrap();
    two.channels.finish_message(id, Some(&mut two.ours)).unwrap();
    two.run();
    assert_eq!(heard_on(&two, 1), [(ppid::BINARY, vec![7; 5000])]);
    let is_ack = |event: &&sctp::Event| matches!(event, sctp::Event::Message { stream: 1, ppid: ppid::DCEP, .. });
    assert_eq!(two.heard.iter().filter(is_ack).count(), 2);
}

/// While the window is half full parts are as short as fragments, and then names are long.
#[test]
fn a_channel_with_long_names_opens_though_they_come_in_parts() {
    let mut two = two_with(&in_parts());
    let label = "long".repeat(10_000);
    two.say(1, ppid::DCEP, &open(&label));
    assert_eq!(two.told, [Event::Incoming(ChannelId(0)), Event::Opened(ChannelId(0))]);
    assert_eq!(two.channels.channel(ChannelId(0)).unwrap().label, label);
    assert_eq!(two.channels.gathered_len, 0);
    two.say(1, ppid::BINARY, &[0; 5000]);
    assert!(told_parts(&two).len() > 1);
}

/// Messages that would open channels, and never end.
#[test]
fn what_is_gathered_of_names_is_bounded_and_forgotten() {
    let mut config = in_parts();
    config.interleaving = true;
    config.receive_window = 64 << 20; // many may be begun
    config.message_len_max_send = usize::MAX;
    config.message_len_max_receive = usize::MAX;
    let mut two = two_with(&config);
    for stream in (1..4001).step_by(2) {
        two.theirs.begin_message(stream, ppid::DCEP, sctp::SendOptions::default()).unwrap();
        two.theirs.append_part(stream, vec![0; 4000].into()).unwrap();
        if stream % 100 == 1 {
            two.run();
            assert!(two.channels.gathered_len <= NAMES_LEN_MAX);
        }
    }
    two.run();
    assert!(two.channels.gathered_len > NAMES_LEN_MAX / 2, "{}", two.channels.gathered_len);
    assert!(two.channels.drops().bad_dcep > 500 && two.has_reset(3999), "{:?}", two.channels.drops());
    for stream in (1..4001).step_by(2) {
        two.theirs.abandon_message(stream).unwrap();
    }
    two.run();
    assert_eq!((two.channels.gathered_len, two.channels.gathered.len()), (0, 0));
    // One alone is no longer than two names can be.
    two.theirs.begin_message(1, ppid::DCEP, sctp::SendOptions::default()).unwrap();
    two.theirs.append_part(1, vec![0; 140_000].into()).unwrap();
    two.run();
    assert!(two.has_reset(1));
    assert_eq!(two.channels.gathered_len, 0);
}

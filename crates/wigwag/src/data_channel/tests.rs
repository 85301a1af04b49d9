//! Channels over one association, and at its other end a peer who keeps to nothing.

mod in_parts;
mod resets;

use super::*;
use std::time::{Duration, Instant};
use wigwag_sansio::Seed;

/// Our channels, and the raw association of the peer.
struct Two {
    channels: DataChannels,
    ours: sctp::Association,
    theirs: sctp::Association,
    told: Vec<Event>,
    /// What the peer was told.
    heard: Vec<sctp::Event>,
    now: Instant,
}

/// We are the DTLS client: even streams are ours, odd ones theirs.
fn two() -> Two {
    two_with(&sctp::Config::default())
}

fn two_with(config: &sctp::Config) -> Two {
    let association = |seed| {
        let mut association = sctp::Association::new(config.clone(), Seed::for_test(seed));
        association.connect();
        association
    };
    let mut channels = DataChannels::new();
    channels.set_dtls_role(true);
    let now = wigwag_sim::origin();
    let mut two =
        Two { channels, ours: association(1), theirs: association(2), told: Vec::new(), heard: Vec::new(), now };
    two.run();
    assert!(two.channels.is_connected);
    two
}

/// With a peer that knows nothing of what these types of chunks are for: its INIT, which its description tells, says so.
fn two_without(kinds: &[u8]) -> Two {
    let [mut ours, mut theirs] = [1, 2].map(|seed| sctp::Association::new(in_parts::in_parts(), Seed::for_test(seed)));
    know_each_other(&mut ours, &mut theirs, kinds);
    theirs.connect();
    ours.connect();
    let mut channels = DataChannels::new();
    channels.set_dtls_role(true);
    let mut two = Two { channels, ours, theirs, told: Vec::new(), heard: Vec::new(), now: wigwag_sim::origin() };
    two.run();
    assert!(two.channels.is_connected);
    two
}

fn know_each_other(ours: &mut sctp::Association, theirs: &mut sctp::Association, kinds: &[u8]) {
    const FORWARD_TSN: u8 = 192;
    let mut init = theirs.init_chunk();
    let extensions = init.windows(2).rposition(|kind| kind == [0x80, 0x08]).unwrap();
    init[extensions + 4..].iter_mut().filter(|kind| kinds.contains(kind)).for_each(|kind| *kind = 0xbf);
    if kinds.contains(&FORWARD_TSN) {
        let supported = init.windows(4).rposition(|parameter| parameter == [0xc0, 0, 0, 4]).unwrap();
        init[supported] = 0x80; // some parameter that is to be skipped
        init[supported + 1] = 0xff;
    }
    theirs.set_peer_init(sctp::PeerInit::decode(&ours.init_chunk()).unwrap());
    ours.set_peer_init(sctp::PeerInit::decode(&init).unwrap());
}

impl Two {
    fn run(&mut self) {
        for _ in 0..200 {
            self.now += Duration::from_millis(10);
            let (now, mut out) = (self.now, Vec::new());
            self.ours.handle_timeout(now);
            self.theirs.handle_timeout(now);
            while self.channels.pump(&mut self.ours).is_none()
                && let Some(event) = self.channels.poll_event()
            {
                self.told.push(event);
            }
            self.heard.extend(std::iter::from_fn(|| self.theirs.poll_event()));
            while self.ours.poll_packet(now, 1200, &mut out) {
                self.theirs.handle_input(&out, now);
                out.clear();
            }
            while self.theirs.poll_packet(now, 1200, &mut out) {
                self.ours.handle_input(&out, now);
                out.clear();
            }
        }
    }

    fn say(&mut self, stream: u16, ppid: u32, data: &[u8]) {
        self.theirs.send(stream, ppid, Bytes::copy_from_slice(data), sctp::SendOptions::default()).unwrap();
        self.run();
    }

    /// Whether the peer was told that we closed the stream.
    fn has_reset(&self, stream: u16) -> bool {
        self.heard
            .iter()
            .any(|event| matches!(event, sctp::Event::IncomingStreamReset { streams } if streams.contains(&stream)))
    }
}

fn open(label: &str) -> Vec<u8> {
    let open = Channel::ours(label, &DataChannelInit::default()).open();
    dcep::Message::Open(open).write()
}

#[test]
fn an_open_of_the_right_parity_makes_a_channel_and_is_acknowledged() {
    let mut two = two();
    two.say(1, ppid::DCEP, &open("theirs"));
    assert_eq!(two.told, [Event::Incoming(ChannelId(0)), Event::Opened(ChannelId(0))]);
    let is_ack = |event: &sctp::Event| matches!(event, sctp::Event::Message { stream: 1, ppid: ppid::DCEP, data, .. } if data[..] == [2]);
    assert!(two.heard.iter().any(is_ack));
}

/// pion/datachannel #213: lengths past the end.
#[test]
fn an_open_that_lies_about_its_lengths_is_counted_and_its_stream_closed() {
    for (at, value) in [(8, [0xff, 0xff]), (8, [0, 8]), (10, [0xff, 0xff]), (10, [0, 1])] {
        let mut two = two();
        let mut bytes = open("theirs");
        bytes[at..at + 2].copy_from_slice(&value);
        two.say(1, ppid::DCEP, &bytes);
        assert_eq!(two.channels.drops(), DataChannelDrops { bad_dcep: 1, ..DataChannelDrops::default() });
        assert!(two.told.is_empty() && two.has_reset(1) && two.channels.channels.is_empty());
        // The stream is as good as new.
        two.theirs.reset_stream(1).unwrap();
        two.run();
        two.say(1, ppid::DCEP, &open("theirs"));
        assert_eq!(two.told.len(), 2, "{:?}", two.told);
    }
}

#[test]
fn an_open_on_a_stream_of_ours_or_on_a_channel_is_counted_and_refused() {
    let mut two = two();
    two.say(2, ppid::DCEP, &open("wrong parity"));
    assert_eq!(two.channels.drops().refused_open, 1);
    assert!(two.has_reset(2) && two.told.is_empty());
    two.say(1, ppid::DCEP, &open("first"));
    two.say(1, ppid::DCEP, &open("second"));
    assert_eq!(two.channels.drops().refused_open, 2);
    assert_eq!(two.channels.channel(ChannelId(0)).map(|channel| channel.label.as_str()), Some("first"));
    assert!(!two.has_reset(1), "the first lives on");
}

#[test]
fn what_is_no_message_of_a_channel_is_counted() {
    let mut two = two();
    two.say(1, ppid::DCEP, &open("theirs"));
    two.told.clear();
    two.say(1, 1234, b"what is this");
    two.say(1, 0, b"or this");
    two.say(3, ppid::STRING, b"to nobody");
    two.say(5, ppid::DCEP, &[2]);
    two.say(1, ppid::DCEP, &[9, 9, 9]);
    assert_eq!(two.channels.drops(), DataChannelDrops { unknown_ppid: 2, no_channel: 2, bad_dcep: 1, refused_open: 0 });
    assert!(two.told.is_empty());
    two.say(1, ppid::STRING, b"heard");
    let expected = Event::Message { channel: ChannelId(0), data: "heard".into(), is_binary: false };
    assert_eq!(two.told, [expected]);
}

/// RFC 8831 §6.6: "the SCTP user message of one zero byte" is nothing; a peer may put anything there.
#[test]
fn an_empty_message_is_empty_whatever_stands_in_it() {
    let mut two = two();
    two.say(1, ppid::DCEP, &open("theirs"));
    two.told.clear();
    two.say(1, ppid::STRING_EMPTY, b"not nothing");
    two.say(1, ppid::BINARY_EMPTY, &[0]);
    let empty = |is_binary| Event::Message { channel: ChannelId(0), data: Bytes::new(), is_binary };
    assert_eq!(two.told, [empty(false), empty(true)]);
}

/// A name may have 65,535 bytes, and a peer 32,767 streams: 4 GiB, were there no limit.
#[test]
fn a_peer_who_opens_channels_without_end_holds_no_more_than_the_limit() {
    let mut two = two();
    let label = "x".repeat(65_535);
    for stream in 0..200u16 {
        two.theirs.send(stream * 2 + 1, ppid::DCEP, open(&label).into(), sctp::SendOptions::default()).unwrap();
        if stream % 20 == 19 {
            two.run();
        }
    }
    two.run();
    let held: usize = two.channels.iter().map(|(_, channel)| channel.label.len()).sum();
    assert!((NAMES_LEN_MAX - label.len()..=NAMES_LEN_MAX).contains(&held), "{held} bytes of names");
    let count = two.channels.iter().count() as u64;
    assert_eq!(two.channels.drops().refused_open, 200 - count);
    // Whoever closes makes room.
    two.theirs.reset_stream(1).unwrap();
    two.run();
    two.say(999, ppid::DCEP, &open("short"));
    assert!(two.channels.iter().any(|(_, channel)| channel.label == "short"));
}

/// A user who opens and closes, and never asks what became of it.
#[test]
fn a_user_who_never_listens_is_refused_in_the_end() {
    let mut channels = DataChannels::new();
    let mut refused = 0;
    for _ in 0..200_000 {
        match channels.create("x", &DataChannelInit::default(), None) {
            Ok(id) => channels.close(id, None),
            Err(error) => {
                assert_eq!(error, ChannelError::TooManyChannels);
                refused += 1;
            }
        }
    }
    assert!(refused > 0 && channels.events.len() <= CHANNELS_MAX);
}

/// The peer may use a stream again as soon as it has our reset, though its answer to ours is lost.
#[test]
fn a_stream_that_comes_again_before_we_know_that_it_may_is_a_new_channel() {
    let mut two = two();
    two.say(1, ppid::DCEP, &open("first"));
    let first = ChannelId(0);
    two.channels.close(first, Some(&mut two.ours));
    two.channels.handle_incoming_reset(1, &mut two.ours);
    two.told.clear();
    // As it were: the new OPEN came before the response to our reset.
    two.channels.handle_message(1, ppid::DCEP, open("second").into(), &mut two.ours);
    two.run();
    let id = two.channels.by_stream[&1];
    assert_eq!(two.told, [Event::Closed(first), Event::Incoming(id), Event::Opened(id), Event::Writable]);
    two.channels.send(id, "hello".into(), false, Some(&mut two.ours)).unwrap();
    two.run();
    assert!(two.heard.iter().any(|event| matches!(event, sctp::Event::Message { ppid: ppid::STRING, .. })));
    assert!(two.heard.iter().any(|event| matches!(event, sctp::Event::Message { ppid: ppid::DCEP, .. })), "the ACK");
}

/// The channel is open, as the user was told: what cannot leave yet is given back, and `Writable` tells when it can.
#[test]
fn what_is_sent_while_the_stream_is_still_being_reset_is_given_back() {
    let mut two = two();
    two.say(1, ppid::DCEP, &open("first"));
    two.channels.close(ChannelId(0), Some(&mut two.ours));
    two.channels.handle_incoming_reset(1, &mut two.ours);
    two.channels.handle_message(1, ppid::DCEP, open("second").into(), &mut two.ours);
    let (id, hello) = (two.channels.by_stream[&1], Bytes::from_static(b"hello"));
    let sent = two.channels.send(id, hello.clone(), true, Some(&mut two.ours));
    assert_eq!(sent, Err(SendError::Full(hello.clone())));
    two.told.clear();
    two.run();
    assert!(two.told.contains(&Event::Writable));
    assert_eq!(two.channels.send(id, hello, true, Some(&mut two.ours)), Ok(()));
}

/// A peer that is slow to answer a reset, for its reader sleeps, holds up that stream alone.
#[test]
fn what_is_owed_on_a_stream_that_is_being_reset_holds_no_other_channel_up() {
    let mut two = two();
    two.say(1, ppid::DCEP, &open("first"));
    two.channels.close(ChannelId(0), Some(&mut two.ours));
    two.channels.handle_incoming_reset(1, &mut two.ours);
    two.channels.handle_message(1, ppid::DCEP, open("again").into(), &mut two.ours);
    // Nothing has left yet: our reset is not answered.
    two.channels.handle_message(3, ppid::DCEP, open("theirs").into(), &mut two.ours);
    let ours = two.channels.create("ours", &DataChannelInit::default(), Some(&mut two.ours)).unwrap();
    let [again, theirs] = [1, 3].map(|stream| two.channels.by_stream[&stream]);
    let owes = |two: &Two, id: ChannelId| two.channels.channel(id).unwrap().owed.is_some();
    assert_eq!([again, theirs, ours].map(|id| owes(&two, id)), [true, false, false]);
    two.channels.send(ours, "hello".into(), false, Some(&mut two.ours)).unwrap();
    two.run();
    assert!(!owes(&two, again));
    let acks = |of: u16| {
        let is_ack = |event: &&sctp::Event| matches!(event, sctp::Event::Message { stream, ppid: ppid::DCEP, .. } if *stream == of);
        two.heard.iter().filter(is_ack).count()
    };
    assert_eq!((acks(1), acks(3)), (2, 1), "{:?}", two.heard);
}

/// What is owed on a stream waits for its reset, and goes on when the peer refuses that.
#[test]
fn what_is_owed_leaves_though_the_peer_refuses_to_reset_the_stream() {
    let [mut ours, mut theirs] =
        [1, 2].map(|seed| sctp::Association::new(sctp::Config::default(), Seed::for_test(seed)));
    let mut channels = DataChannels::new();
    channels.set_dtls_role(true);
    channels.handle_message(1, ppid::DCEP, open("first").into(), &mut ours);
    let first = ChannelId(0);
    channels.close(first, Some(&mut ours));
    channels.handle_incoming_reset(1, &mut ours);
    for stream in [1, 3] {
        channels.handle_message(stream, ppid::DCEP, open("again").into(), &mut ours);
    }
    let [second, third] = [1, 3].map(|stream| channels.by_stream[&stream]);
    // Only now it is known that the peer resets no streams.
    know_each_other(&mut ours, &mut theirs, &[130]);
    theirs.connect();
    ours.connect();
    let mut two = Two { channels, ours, theirs, told: Vec::new(), heard: Vec::new(), now: wigwag_sim::origin() };
    two.run();
    let acks = |of: u16| {
        let is_ack = |event: &&sctp::Event| matches!(event, sctp::Event::Message { stream, ppid: ppid::DCEP, .. } if *stream == of);
        two.heard.iter().filter(is_ack).count()
    };
    assert_eq!((acks(1), acks(3)), (2, 1), "{:?}", two.heard);
    let closed: Vec<_> = two.told.iter().filter(|event| matches!(event, Event::Closed(_))).collect();
    assert_eq!(closed, [&Event::Closed(first)]);
    assert!(two.told.contains(&Event::Writable), "{:?}", two.told);
    for id in [second, third] {
        two.channels.send(id, "hello".into(), false, Some(&mut two.ours)).unwrap();
    }
    two.run();
    let is_hello = |event: &&sctp::Event| matches!(event, sctp::Event::Message { ppid: ppid::STRING, .. });
    assert_eq!(two.heard.iter().filter(is_hello).count(), 2);
}

/// The peer's association begins anew: it knows no channel, and new ones can be opened by both.
#[test]
fn after_a_restart_old_channels_are_closed_and_new_ones_open() {
    let mut two = two();
    let old = two.channels.create("old", &DataChannelInit::default(), Some(&mut two.ours)).unwrap();
    two.run();
    two.theirs = sctp::Association::new(sctp::Config::default(), Seed::for_test(3));
    two.theirs.connect();
    two.run();
    assert!(two.told.contains(&Event::Closed(old)), "{:?}", two.told);
    let new = two.channels.create("new", &DataChannelInit::default(), Some(&mut two.ours)).unwrap();
    two.run();
    assert!(two.told.contains(&Event::Opened(new)), "{:?}", two.told);
    two.say(1, ppid::DCEP, &open("theirs"));
    assert!(two.channels.by_stream.contains_key(&1));
}

/// RFC 6525 §4.1: a peer that closes all of its channels may do so without a list.
#[test]
fn a_reset_of_all_streams_closes_every_channel_and_looks_at_each_once() {
    let mut two = two();
    let ours = two.channels.create("ours", &DataChannelInit::default(), Some(&mut two.ours)).unwrap();
    for stream in [1, 3] {
        two.say(stream, ppid::DCEP, &open("theirs"));
    }
    two.told.clear();
    let reset_all = || sctp::Event::IncomingStreamReset { streams: Vec::new() };
    two.channels.handle_association_event(reset_all(), &mut two.ours);
    let visits = two.channels.visits();
    for _ in 0..1000 {
        two.channels.handle_association_event(reset_all(), &mut two.ours);
    }
    assert_eq!(two.channels.visits(), visits);
    two.run();
    assert_eq!(two.told, [ours, ChannelId(1), ChannelId(2)].map(Event::Closed));
    assert!([0, 1, 3].iter().all(|stream| two.has_reset(*stream)));
}

/// RFC 8832 §6: the numbers of channels that are closed are free; those that are not are not enough for a long call.
#[test]
fn a_stream_is_used_again_when_its_channel_is_closed() {
    let mut two = two();
    let create = |two: &mut Two| {
        let id = two.channels.create("x", &DataChannelInit::default(), Some(&mut two.ours)).unwrap();
        two.run();
        (id, two.channels.channel(id).and_then(|channel| channel.stream).unwrap())
    };
    let channels = [(); 3].map(|()| create(&mut two));
    assert_eq!(channels.map(|(_, stream)| stream), [0, 2, 4]);
    let (id, stream) = channels[1];
    two.channels.close(id, Some(&mut two.ours));
    two.run();
    two.theirs.reset_stream(stream).unwrap();
    two.run();
    assert!(two.told.contains(&Event::Closed(id)));
    assert_eq!([create(&mut two).1, create(&mut two).1], [2, 6]);
}

/// A peer that opens and closes while nothing of ours can leave makes nothing of ours long.
#[test]
fn what_is_owed_is_bounded_by_the_channels_that_there_are() {
    let mut channels = DataChannels::new();
    channels.set_dtls_role(true);
    // An association that is not connected, and whose buffer is full.
    let mut config = sctp::Config::default();
    config.send_buffer = 1;
    let mut sctp = sctp::Association::new(config, Seed::for_test(4));
    sctp.send(1000, ppid::BINARY, Bytes::from_static(b"full"), sctp::SendOptions::default()).unwrap();
    for round in 0..10_000u16 {
        let stream = 1 + 2 * (round % 10);
        channels.handle_message(stream, ppid::DCEP, Bytes::from(open("theirs")), &mut sctp);
        assert!(channels.by_stream.contains_key(&stream));
        channels.finish_stream(stream);
    }
    assert!(channels.owing.len() < 100, "{}", channels.owing.len());
    assert!(channels.channels.is_empty());
    assert_eq!(channels.names_len, 0);
}

/// RFC 8832 §6: what could overtake the OPEN message goes in order until the peer knows of the channel.
#[test]
fn an_unordered_channel_sends_in_order_until_it_is_acknowledged() {
    for (ppid, data) in [(ppid::DCEP, vec![2]), (ppid::BINARY, vec![7])] {
        let mut two = two();
        let init = DataChannelInit::default().unordered();
        let id = two.channels.create("unordered", &init, Some(&mut two.ours)).unwrap();
        two.run();
        assert!(!two.channels.channels[&id].send_options().unordered);
        two.say(0, ppid, &data);
        assert!(two.channels.channels[&id].send_options().unordered);
    }
}

#[test]
fn what_arrives_on_a_channel_that_is_closing_is_dropped_and_counted() {
    let mut two = two();
    let id = two.channels.create("closing", &DataChannelInit::default(), Some(&mut two.ours)).unwrap();
    two.run();
    two.channels.close(id, Some(&mut two.ours));
    two.say(0, ppid::BINARY, b"late");
    assert!(!two.told.iter().any(|event| matches!(event, Event::Message { .. })), "{:?}", two.told);
    assert_eq!(two.channels.drops.no_channel, 1);
}

#[test]
fn nothing_overtakes_the_message_that_opens_a_channel() {
    let mut two = two();
    let mut sends = 0;
    while two.ours.send(1000, ppid::BINARY, Bytes::from(vec![0; 200_000]), sctp::SendOptions::default()).is_ok() {
        sends += 1;
        assert!(sends < 1000);
    }
    while two.ours.send(1000, ppid::BINARY, Bytes::from_static(b"x"), sctp::SendOptions::default()).is_ok() {}
    let long = "l".repeat(60_000);
    let id = two.channels.create(&long, &DataChannelInit::default(), Some(&mut two.ours)).unwrap();
    // Room for a small message, and not for the long one that opens the channel.
    let mut out = Vec::new();
    for _ in 0..3 {
        assert!(two.ours.poll_packet(two.now, 1200, &mut out));
    }
    for _ in 0..100 {
        let sent = two.channels.send(id, Bytes::from_static(b"early"), true, Some(&mut two.ours));
        assert_eq!(sent, Err(SendError::Full(Bytes::from_static(b"early"))));
    }
}

/// RFC 8831 §6.4: as it goes over the wire, to a peer that can interleave and to one that cannot.
#[test]
fn the_priority_of_a_channel_is_its_share_of_the_path() {
    for interleaving in [true, false] {
        let mut config = sctp::Config::default();
        (config.interleaving, config.scheduler) = (interleaving, sctp::Scheduler::WeightedFair);
        let mut two = two_with(&config);
        let init = |priority| DataChannelInit { priority, ..DataChannelInit::default() };
        let low = two.channels.create("low", &init(128), Some(&mut two.ours)).unwrap();
        let high = two.channels.create("high", &init(1024), Some(&mut two.ours)).unwrap();
        two.run();
        two.heard.clear();
        for _ in 0..80 {
            for channel in [low, high] {
                two.channels.send(channel, vec![0; 1100].into(), true, Some(&mut two.ours)).unwrap();
            }
        }
        two.run();
        let stream =
            |event: &sctp::Event| if let sctp::Event::Message { stream, .. } = event { Some(*stream) } else { None };
        let streams: Vec<_> = two.heard.iter().filter_map(stream).collect();
        let of_low = streams[..72].iter().filter(|stream| **stream == 0).count();
        assert!((7..=9).contains(&of_low), "one of nine: {streams:?}");
        assert_eq!(streams.len(), 160);
    }
}

#[test]
fn a_priority_that_the_peer_gave_is_kept_to() {
    let mut config = sctp::Config::default();
    (config.interleaving, config.scheduler) = (true, sctp::Scheduler::WeightedFair);
    let mut two = two_with(&config);
    let init = DataChannelInit { priority: 1024, ..DataChannelInit::default() };
    two.say(1, ppid::DCEP, &dcep::Message::Open(Channel::ours("theirs", &init).open()).write());
    let ours = two.channels.create("ours", &DataChannelInit::default(), Some(&mut two.ours)).unwrap();
    two.run();
    two.heard.clear();
    for _ in 0..40 {
        for channel in [ours, ChannelId(0)] {
            two.channels.send(channel, vec![0; 1100].into(), true, Some(&mut two.ours)).unwrap();
        }
    }
    two.run();
    let stream =
        |event: &sctp::Event| if let sctp::Event::Message { stream, .. } = event { Some(*stream) } else { None };
    let streams: Vec<_> = two.heard.iter().filter_map(stream).collect();
    let of_theirs = streams[..40].iter().filter(|stream| **stream == 1).count();
    assert!((31..=33).contains(&of_theirs), "four of five: {streams:?}");
}

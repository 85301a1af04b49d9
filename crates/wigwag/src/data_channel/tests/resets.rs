//! Streams that begin anew, with channels and without.

use super::*;

/// How often the peer was told that we closed the stream.
fn resets_heard(two: &Two, of: u16) -> usize {
    let is_reset =
        |event: &&sctp::Event| matches!(event, sctp::Event::IncomingStreamReset { streams } if streams.contains(&of));
    two.heard.iter().filter(is_reset).count()
}

/// W3C: `bufferedAmountLowThreshold` is 0 at first, whatever the channel before it on the stream was told.
#[test]
fn a_channel_of_the_peers_begins_with_no_threshold() {
    let mut two = two();
    two.say(1, ppid::DCEP, &open("first"));
    let first = ChannelId(0);
    two.channels.set_low_threshold(first, 600, Some(&mut two.ours));
    two.channels.close(first, Some(&mut two.ours));
    two.theirs.reset_stream(1).unwrap();
    two.run();
    two.say(1, ppid::DCEP, &open("second"));
    let second = two.channels.by_stream[&1];
    assert!(two.told.contains(&Event::Closed(first)) && two.told.contains(&Event::Opened(second)));
    two.told.clear();
    for len in [1000, 500] {
        two.channels.send(second, vec![0; len].into(), true, Some(&mut two.ours)).unwrap();
    }
    let mut out = Vec::new();
    assert!(two.ours.poll_packet(two.now, 1200, &mut out));
    assert_eq!(two.ours.buffered_amount(1), 500);
    two.channels.pump(&mut two.ours);
    assert_eq!(two.channels.poll_event(), None, "500 bytes are more than 0");
    two.run();
    assert_eq!(two.told, [Event::BufferedAmountLow(second)]);
}

/// RFC 8831 §6.7; a channel that was agreed upon, and that only the peer has made.
#[test]
fn a_reset_of_a_stream_that_is_no_channel_of_ours_is_answered_each_time() {
    let mut two = two();
    for round in 1..=3 {
        two.theirs.reset_stream(6).unwrap();
        two.run();
        assert_eq!(resets_heard(&two, 6), round);
    }
    assert!(two.told.is_empty() && two.channels.channels.is_empty());
}

#[test]
fn the_reset_that_answers_our_refusal_is_not_answered_and_the_next_one_is() {
    let mut two = two();
    let mut refused = open("lies");
    refused[8..10].copy_from_slice(&[0xff; 2]);
    for (stream, refused) in [(2, open("wrong parity")), (1, refused)] {
        for round in 1..=3 {
            two.say(stream, ppid::DCEP, &refused);
            two.theirs.reset_stream(stream).unwrap();
            two.run();
            assert_eq!(resets_heard(&two, stream), 2 * round - 1);
            two.theirs.reset_stream(stream).unwrap();
            two.run();
            assert_eq!(resets_heard(&two, stream), 2 * round);
        }
    }
    assert!(two.channels.refused.is_empty());
}

/// The peer has mixed up the roles; meanwhile the stream has become another channel, which is ours.
#[test]
fn the_reset_that_answers_our_refusal_does_not_close_what_has_come_since() {
    let mut two = two();
    two.say(2, ppid::DCEP, &open("wrong parity"));
    let ids = [(); 2].map(|()| two.channels.create("ours", &DataChannelInit::default(), Some(&mut two.ours)).unwrap());
    assert_eq!(two.channels.by_stream[&2], ids[1]);
    two.theirs.reset_stream(2).unwrap();
    two.run();
    assert_eq!(two.told, ids.map(Event::Opened));
    two.theirs.reset_stream(2).unwrap();
    two.run();
    assert_eq!(two.told.last(), Some(&Event::Closed(ids[1])));
}

/// A peer that refuses to reset the stream has nothing to answer.
#[test]
fn a_refusal_that_the_peer_refuses_is_none() {
    let mut two = two_without(&[130]);
    two.say(2, ppid::DCEP, &open("wrong parity"));
    assert_eq!(two.channels.drops().refused_open, 1);
    assert!(two.channels.refused.is_empty());
}

/// Both ends are ours.
struct Both {
    channels: [DataChannels; 2],
    sctp: [sctp::Association; 2],
    told: [Vec<Event>; 2],
    /// How often each has asked for a reset.
    requests: [usize; 2],
    now: Instant,
}

/// How many chunks of the packet ask for a reset of outgoing streams.
fn requests(packet: &[u8]) -> usize {
    let (mut rest, mut count) = (&packet[12..], 0);
    while let [kind, _, l0, l1, value @ ..] = rest {
        count += usize::from(*kind == 130 && value[..2] == [0, 13]);
        let len = usize::from(u16::from_be_bytes([*l0, *l1])).next_multiple_of(4);
        rest = rest.get(len..).unwrap_or_default();
    }
    count
}

fn both(is_client: [bool; 2]) -> Both {
    let sctp = [1, 2].map(|seed| {
        let mut association = sctp::Association::new(sctp::Config::default(), Seed::for_test(seed));
        association.connect();
        association
    });
    let channels = is_client.map(|is_client| {
        let mut channels = DataChannels::new();
        channels.set_dtls_role(is_client);
        channels
    });
    let mut both = Both { channels, sctp, told: [Vec::new(), Vec::new()], requests: [0; 2], now: wigwag_sim::origin() };
    both.run();
    both
}

impl Both {
    /// Ten seconds.
    fn run(&mut self) {
        for _ in 0..1000 {
            self.now += Duration::from_millis(10);
            for side in [0, 1] {
                self.turn(side);
            }
        }
    }

    fn turn(&mut self, side: usize) {
        let (now, mut out) = (self.now, Vec::new());
        let [a, z] = &mut self.sctp;
        let (ours, theirs) = if side == 0 { (a, z) } else { (z, a) };
        ours.handle_timeout(now);
        while self.channels[side].pump(ours).is_none()
            && let Some(event) = self.channels[side].poll_event()
        {
            self.told[side].push(event);
        }
        while ours.poll_packet(now, 1200, &mut out) {
            self.requests[side] += requests(&out);
            theirs.handle_input(&out, now);
            out.clear();
        }
    }

    fn create(&mut self, side: usize, init: &DataChannelInit) -> ChannelId {
        self.channels[side].create("x", init, Some(&mut self.sctp[side])).unwrap()
    }

    fn close(&mut self, side: usize, id: ChannelId) {
        self.channels[side].close(id, Some(&mut self.sctp[side]));
    }
}

#[test]
fn a_channel_that_was_agreed_upon_closes_whether_or_not_the_other_side_has_made_it() {
    let mut both = both([true, false]);
    let init = DataChannelInit { negotiated: Some(6), ..DataChannelInit::default() };
    for round in 0..3 {
        let id = both.create(round % 2, &init);
        both.run();
        both.close(round % 2, id);
        both.run();
        assert_eq!(both.told[round % 2], [Event::Opened(id), Event::Closed(id)]);
        both.told[round % 2].clear();
        assert_eq!(both.requests, [round + 1; 2]);
    }
}

/// Both think that they are the client: whatever one opens is refused by the other.
#[test]
fn two_who_refuse_each_others_channels_come_to_rest() {
    let mut both = both([true, true]);
    for round in 1..=3 {
        let id = both.create(0, &DataChannelInit::default());
        both.run();
        assert_eq!(both.told[0], [Event::Opened(id), Event::Closed(id)]);
        both.told[0].clear();
        assert_eq!(both.channels[1].drops().refused_open, round);
        assert_eq!(both.requests, [round as usize; 2]);
    }
    for channels in &both.channels {
        assert!(channels.refused.is_empty());
    }
}

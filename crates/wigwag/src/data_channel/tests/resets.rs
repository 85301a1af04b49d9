//! Streams that begin anew, with channels and without.

use super::*;

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

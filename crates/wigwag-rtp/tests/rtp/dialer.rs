//! Keys of a telephone, as packets that another telephone takes for keys.

use crate::codecs::test_data;
use crate::common::at;
use std::time::{Duration, Instant};
use wigwag_rtp::RtpPacket;
use wigwag_rtp::header::Packet;
use wigwag_rtp::payload::telephone_event::{self, Report};
use wigwag_rtp::payload::{Dialer, ToneStream};

const MS: Duration = Duration::from_millis(1);

/// A clock of 8,000 Hz that stood at 1,000 at the beginning.
fn stream(now: Instant) -> Option<ToneStream> {
    let timestamp = 1_000 + 8 * now.saturating_duration_since(at(0)).as_millis() as u32;
    Some(ToneStream { payload_type: 101, clock_rate_hz: 8_000, timestamp })
}

/// All packets, and how many milliseconds after the beginning each was due; polled as early as it asks for.
fn dialled(dialer: &mut Dialer) -> Vec<(u64, RtpPacket)> {
    let (mut now, mut packets) = (at(0), Vec::new());
    while let Some(due) = dialer.poll_timeout(now) {
        now = due;
        while let Some(packet) = dialer.poll_packet(now, || stream(now)) {
            packets.push((now.duration_since(at(0)).as_millis() as u64, packet));
            assert!(packets.len() < 10_000, "it ends some time");
        }
        assert!(dialer.poll_timeout(now).is_none_or(|due| due > now), "nothing is owed, but it is due");
    }
    packets
}

fn report(packet: &RtpPacket) -> Report {
    Report::parse(&packet.payload).expect("a report")
}

#[test]
fn a_key_is_a_series_with_the_timestamp_of_its_beginning_and_ends_three_times() {
    let mut dialer = Dialer::new();
    dialer.insert("5", 100 * MS, 70 * MS).expect("a key");
    let packets = dialled(&mut dialer);
    let times: Vec<_> = packets.iter().map(|(ms, _)| *ms).collect();
    assert_eq!(times, [0, 20, 40, 60, 80, 100, 120]);
    assert!(packets.iter().all(|(_, packet)| (packet.payload_type, packet.timestamp) == (101, 1_000)));
    let reports: Vec<_> = packets.iter().map(|(_, packet)| report(packet)).collect();
    assert!(reports.iter().all(|report| report.event == 5 && report.volume == 10));
    // RFC 4733 §2.3.5: none lasts for no time, which would say that it lasts forever. As a frame of sound would, a packet has the 20 ms
    // from its leaving on.
    assert_eq!(reports.iter().map(|report| report.duration).collect::<Vec<_>>(), [160, 320, 480, 640, 800, 800, 800]);
    assert_eq!(reports.iter().filter(|report| report.is_end).count(), 3);
    assert_eq!(
        packets.iter().map(|(_, packet)| packet.marker).collect::<Vec<_>>(),
        [true, false, false, false, false, false, false]
    );
}

#[test]
fn keys_come_one_after_another_with_a_gap_or_a_pause() {
    let mut dialer = Dialer::new();
    dialer.insert("1,d#", 40 * MS, 50 * MS).expect("keys");
    assert_eq!(dialer.waiting(), "1,d#");
    let packets = dialled(&mut dialer);
    let begun: Vec<_> = packets
        .iter()
        .filter(|(_, packet)| packet.marker)
        .map(|(ms, packet)| (*ms, telephone_event::key(report(packet).event), packet.timestamp))
        .collect();
    // 40 ms and a gap of 50, in which two more packets leave; then a comma, for two seconds.
    let expected =
        [(0, Some('1'), 1_000), (2_090, Some('D'), 1_000 + 8 * 2_090), (2_180, Some('#'), 1_000 + 8 * 2_180)];
    assert_eq!(begun, expected);
    assert!(!dialer.is_pressing() && dialer.waiting().is_empty());
}

#[test]
fn times_are_brought_to_what_w3c_allows() {
    let length = |press: Duration, gap: Duration| {
        let mut dialer = Dialer::new();
        dialer.insert("12", press, gap).expect("keys");
        let packets = dialled(&mut dialer);
        let starts: Vec<_> = packets.iter().filter(|(_, packet)| packet.marker).map(|(ms, _)| *ms).collect();
        (report(&packets[packets.len() - 1].1).duration, starts[1])
    };
    assert_eq!(length(Duration::ZERO, Duration::ZERO), (8 * 40, 40 + 30));
    assert_eq!(length(Duration::MAX, 100 * MS), (8 * 6_000, 6_000 + 100));
    assert_eq!(length(50 * MS, Duration::MAX), (8 * 50, 50 + 6_000));
}

#[test]
fn what_is_no_key_is_refused_and_changes_nothing() {
    let mut dialer = Dialer::new();
    dialer.insert("12", 100 * MS, 70 * MS).expect("keys");
    assert_eq!(dialer.insert("3E", 100 * MS, 70 * MS), Err('E'));
    assert_eq!(dialer.insert(&"1".repeat(257), 100 * MS, 70 * MS), Err('1'));
    assert_eq!(dialer.waiting(), "12");
    // W3C: an empty string presses nothing more; what is pressed goes on to its end.
    assert!(dialer.poll_packet(at(0), || stream(at(0))).is_some() && dialer.is_pressing());
    dialer.insert("", 100 * MS, 70 * MS).expect("nothing");
    assert_eq!(dialled(&mut dialer).len(), 6);
}

#[test]
fn late_polling_only_delays_and_the_end_of_events_is_the_end() {
    let mut dialer = Dialer::new();
    dialer.insert("7", 100 * MS, 70 * MS).expect("a key");
    assert!(dialer.poll_packet(at(0), || stream(at(0))).is_some_and(|packet| packet.marker));
    let mut times = [5_000, 5_000, 5_010, 5_020, 5_040, 5_040].into_iter();
    let late: Vec<_> = times.by_ref().filter_map(|ms| dialer.poll_packet(at(ms), || stream(at(ms)))).collect();
    assert_eq!(
        late.iter().map(|packet| (report(packet).duration, report(packet).is_end, packet.marker)).collect::<Vec<_>>(),
        [(800, true, false); 3]
    );
    dialer.insert("8", 100 * MS, 70 * MS).expect("a key");
    assert_eq!(dialer.poll_packet(at(6_000), || None), None);
    assert_eq!((dialer.poll_timeout(at(6_000)), dialer.waiting()), (None, String::new()));
}

#[test]
fn a_fast_clock_holds_a_key_for_as_long_as_its_field_can_tell() {
    let mut dialer = Dialer::new();
    dialer.insert("7", 6_000 * MS, 70 * MS).expect("a key");
    let fast = || Some(ToneStream { payload_type: 110, clock_rate_hz: 48_000, timestamp: 0 });
    let (mut now, mut last) = (at(0), None);
    while let Some(due) = dialer.poll_timeout(now) {
        now = due;
        while let Some(packet) = dialer.poll_packet(now, fast) {
            last = Some(report(&packet));
        }
    }
    let last = last.expect("packets");
    assert!(last.is_end && last.duration >= 65_534, "{last:?}");
}

#[test]
fn agrees_with_aiortc_on_a_packet() {
    let Some(folder) = test_data() else { return };
    let bytes = std::fs::read(folder.join("aiortc-packets/rtp_dtmf.bin")).expect("readable");
    let packet = Packet::parse(&bytes).expect("valid");
    let expected = Report { event: 1, is_end: true, volume: 10, duration: 960 };
    assert_eq!((packet.payload_type, Report::parse(packet.payload)), (101, Ok(expected)));
}

//! Media that leave as fast as the path takes them.

use crate::common::{Peer, config, connection, negotiate, pair_with};
use crate::media::{drops, negotiate_from, until_connected};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wigwag::{Config, Direction, Frame, MediaError, MediaKind, RtpPacket, TransceiverId, congestion};
use wigwag_sim::{A, Fate, Host, World, Z};

const OPUS: u8 = 111;
const VP8: u8 = 96;
const LATENCY: Duration = Duration::from_millis(25);

/// A camera whose encoder does what it is told, thirty pictures a second, and a microphone.
struct Call {
    world: World<Peer>,
    audio: TransceiverId,
    video: TransceiverId,
    began: Instant,
    pictures: u32,
    /// When each picture was made.
    made: BTreeMap<u32, Instant>,
    refused: u32,
}

fn controlled(config: &mut Config) {
    config.media_congestion_control = Some(congestion::Config::new());
}

/// Whether arrivals are reported by numbers of each stream (RFC 8888), or by those of the transport.
const WAYS: [bool; 2] = [false, true];

fn reported(by_stream: bool, config: &mut Config) {
    controlled(config);
    config.negotiation.ccfb = by_stream;
}

impl Call {
    fn new(seed: u64, adapt: impl Fn(Host, &mut Config)) -> Self {
        let mut world = pair_with(seed, adapt);
        world.links(A, Z, |link| _ = link.latency(LATENCY));
        let audio = world[A].connection.add_transceiver(MediaKind::Audio, Direction::Sendonly).unwrap();
        let video = world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap();
        negotiate(&mut world);
        until_connected(&mut world);
        let began = world.now();
        Self { world, audio, video, began, pictures: 0, made: BTreeMap::new(), refused: 0 }
    }

    fn rate(&mut self, bits_per_second: u64, queue: usize) {
        self.world.link(A, Z).rate(bits_per_second, queue);
    }

    fn target(&self) -> u64 {
        self.world[A].connection.target_bitrate().unwrap_or(0)
    }

    /// Films for so many seconds, each at a rate that may depend on what it is told.
    fn film(&mut self, seconds: u32, rate: impl Fn(u64) -> u64) {
        for _ in 0..seconds * 30 {
            let len = (rate(self.target()) / 30 / 8).clamp(20, 200_000) as usize;
            let mut data = vec![0x55; len];
            data[0] = u8::from(!self.pictures.is_multiple_of(300));
            let rtp_time = self.pictures * 3000;
            match self.world[A].connection.write_frame(self.video, Frame::new(VP8, rtp_time, data.into())) {
                Ok(()) => _ = self.made.insert(rtp_time, self.world.now()),
                Err(MediaError::Full(_)) => self.refused += 1,
                Err(error) => panic!("{error}"),
            }
            self.pictures += 1;
            for n in 0..2 {
                let sound = RtpPacket::new(OPUS, (self.pictures * 2 + n) * 800, Bytes::from_static(&[0x78; 60]));
                self.world[A].connection.write_packet(self.audio, sound).unwrap();
                self.world.run_for(Duration::from_micros(16_667));
            }
        }
    }

    /// What arrived of these seconds: its bits a second, and how late the latest but 5 % of the pictures' packets were.
    fn arrived(&self, seconds: std::ops::Range<u64>) -> (u64, Duration) {
        let [from, to] = [seconds.start, seconds.end].map(|second| self.began + Duration::from_secs(second));
        let of = self.world[Z].packets.iter().filter(|found| (from..to).contains(&found.arrival));
        let bits: usize = of.clone().map(|found| 8 * (found.packet.payload.len() + 60)).sum();
        let pictures = of.filter(|found| found.packet.payload_type == VP8 && !found.packet.payload.is_empty());
        let mut late: Vec<_> =
            pictures.filter_map(|found| Some(found.arrival - *self.made.get(&found.packet.timestamp)?)).collect();
        late.sort_unstable();
        let late = late.get(late.len() * 95 / 100).copied().unwrap_or_default();
        (bits as u64 / (seconds.end - seconds.start), late)
    }

    /// Z has reported in one way, and not in the other.
    fn was_reported(&self, by_stream: bool) {
        let stats = |host: Host| self.world[host].connection.stats(self.world.now()).to_json();
        let says_none = |name: &str, json: &str| json.contains(&format!("\"{name}\":0"));
        assert_eq!(says_none("ccfbMessagesReceived", &stats(A)), !by_stream, "{}", stats(A));
        assert_eq!(says_none("ccfbMessagesSent", &stats(Z)), !by_stream, "{}", stats(Z));
    }

    fn lost(&self) -> u64 {
        self.world.count(Fate::QueueFull)
    }
}

#[test]
fn a_camera_that_does_what_it_is_told_fills_the_path_and_no_queue() {
    let rates = [(400_000, 1), (1_000_000, 2), (4_000_000, 3)];
    for (by_stream, (rate, seed)) in WAYS.into_iter().flat_map(|way| rates.map(|rate| (way, rate))) {
        let mut call = Call::new(seed, |_, config| reported(by_stream, config));
        call.rate(rate, rate as usize / 8 / 2);
        call.film(30, |target| target * 9 / 10);
        let (arrived, late) = call.arrived(15..30);
        assert!(arrived > rate * 65 / 100, "{arrived} of {rate}");
        assert!(late < LATENCY + Duration::from_millis(250), "{late:?} at {rate}");
        assert!(call.target() < rate * 3 / 2, "{} of {rate}", call.target());
        let lost_before = call.lost();
        call.film(10, |target| target * 9 / 10);
        assert!(call.lost() - lost_before < 10, "{} lost at {rate}", call.lost() - lost_before);
        assert_eq!(call.refused, 0);
        assert!(call.world[A].targets.len() >= 3 && call.world[Z].targets.is_empty(), "{:?}", call.world[A].targets);
        call.was_reported(by_stream);
    }
}

#[test]
fn a_path_that_becomes_narrower_is_noticed_within_seconds() {
    WAYS.into_iter().for_each(becomes_narrower);
}

fn becomes_narrower(by_stream: bool) {
    let mut call = Call::new(4, |_, config| reported(by_stream, config));
    call.rate(3_000_000, 400_000);
    call.film(15, |target| target * 9 / 10);
    assert!(call.target() > 1_500_000, "{}", call.target());
    call.rate(600_000, 400_000);
    call.film(4, |target| target * 9 / 10);
    assert!(call.target() < 900_000, "{}", call.target());
    call.film(16, |target| target * 9 / 10);
    let (arrived, late) = call.arrived(25..35);
    assert!(arrived > 350_000 && late < LATENCY + Duration::from_millis(300), "{arrived} {late:?}");
    call.rate(3_000_000, 400_000);
    call.film(25, |target| target * 9 / 10);
    assert!(call.target() > 1_500_000, "and wider again: {}", call.target());
}

/// With a short queue much is lost at first, and all of that is asked for, again and again: what is sent again must not be what fills the
/// path, nor hold up what is new.
#[test]
fn what_was_lost_when_a_path_became_narrow_does_not_fill_it() {
    let resent = [(20, true), (21, false)];
    for (by_stream, (seed, has_rtx)) in WAYS.into_iter().flat_map(|way| resent.map(|resent| (way, resent))) {
        let mut call = Call::new(seed, |_, config| {
            reported(by_stream, config);
            config.negotiation.codecs.iter_mut().filter(|_| !has_rtx).for_each(|codec| codec.rtx = None);
        });
        call.rate(4_000_000, 500_000);
        call.film(10, |target| target.min(4_000_000) * 9 / 10);
        call.rate(500_000, 80_000);
        call.film(5, |target| target.min(4_000_000) * 9 / 10);
        let sent = |call: &Call| {
            let stats = call.world[A].connection.sender_stats(call.video).unwrap();
            (stats.packets_sent + stats.packets_resent, stats.packets_resent)
        };
        let ((all, again), lost) = (sent(&call), call.lost());
        call.film(10, |target| target.min(4_000_000) * 9 / 10);
        let ((all, again), lost) = ((sent(&call).0 - all, sent(&call).1 - again), call.lost() - lost);
        let (arrived, _) = call.arrived(17..25);
        assert!(
            lost < all / 5 && again < all / 4,
            "{lost} of {all} were lost, {again} of them sent again; the target is {}",
            call.target()
        );
        assert!(arrived > 250_000, "{arrived} of 500,000 bit/s");
        assert!(call.target() > 250_000, "{}", call.target());
    }
}

#[test]
fn sound_does_not_wait_for_pictures_that_do() {
    let mut call = Call::new(5, |_, config| controlled(config));
    call.world[A].connection.set_bitrate_limits(100_000, 300_000).unwrap();
    call.film(10, |_| 1_000_000);
    let (_, late) = call.arrived(0..10);
    assert!(late > Duration::from_secs(1), "{late:?}");
    let sounds = call.world[Z].packets.iter().filter(|found| found.packet.payload_type == OPUS);
    let sounds: Vec<_> = sounds.map(|found| found.arrival).collect();
    assert!(sounds.len() >= 598, "{} of 600", sounds.len());
    let gap = sounds.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(gap < Some(Duration::from_millis(20)), "{gap:?}");
    assert!(call.world[A].connection.stats(call.world.now()).to_json().contains("\"availableOutgoingBitrate\":300000"));
}

#[test]
fn what_is_not_controlled_leaves_at_once_and_reports_are_told() {
    let mut call = Call::new(6, |_, _| {});
    call.film(2, |_| 5_000_000);
    let (arrived, late) = call.arrived(0..2);
    assert!(arrived > 4_500_000 && late < LATENCY + Duration::from_millis(2), "{arrived} {late:?}");
    assert_eq!((call.world[A].targets.as_slice(), call.world[A].connection.target_bitrate()), (&[][..], None));
    assert!(!call.world[A].connection.stats(call.world.now()).to_json().contains("availableOutgoingBitrate"));
}

#[test]
fn where_one_side_alone_would_report_by_stream_the_call_is_as_ever() {
    for willing in [A, Z] {
        let mut call = Call::new(11, |host, config| reported(host == willing, config));
        call.film(5, |target| target.min(2_000_000) * 9 / 10);
        call.was_reported(false);
        assert!(call.target() > 1_000_000, "{}", call.target());
    }
}

/// What is on its way when the peer stops listening arrives, though nobody takes it.
#[test]
fn a_peer_that_stops_listening_to_pictures_has_lost_none() {
    let mut call = Call::new(10, |_, config| controlled(config));
    call.film(2, |_| 300_000);
    let of_z = call.world[Z].connection.transceivers().last().map(|transceiver| transceiver.id).unwrap();
    call.world[Z].connection.stop_transceiver(of_z).unwrap();
    call.film(1, |_| 300_000);
    negotiate_from(&mut call.world, Z);
    call.world.run_for(Duration::from_secs(1));
    let stats = call.world[A].connection.congestion_stats().unwrap();
    assert_eq!(stats.packets_lost, 0, "{stats:?}");
    assert!(drops(&call.world[Z], "rtp.dropped_unknown_stream") > 30);
}

/// A peer that agrees to report nothing holds up nothing.
#[test]
fn with_a_peer_that_reports_nothing_media_leave_at_once() {
    let mut call = Call::new(7, |host, config| {
        controlled(config);
        if host == Z {
            config.negotiation.header_extensions.retain(|extension| !extension.uri.contains("transport-wide"));
        }
    });
    call.film(2, |_| 5_000_000);
    let (arrived, late) = call.arrived(0..2);
    assert!(arrived > 4_500_000 && late < LATENCY + Duration::from_millis(2), "{arrived} {late:?}");
    assert_eq!((call.world[A].targets.as_slice(), call.world[A].connection.target_bitrate()), (&[][..], None));
}

/// One that agreed to, and does not: the first guess is all there is, and what waits too long leaves all the same.
#[test]
fn with_a_peer_that_keeps_its_reports_to_itself_a_call_goes_on() {
    let mut call = Call::new(8, |_, config| controlled(config));
    call.world.link(Z, A).drop_if(|passing| passing.payload.get(1).is_some_and(|second| (192..=223).contains(second)));
    call.film(10, |target| target * 9 / 10);
    let (arrived, _) = call.arrived(5..10);
    assert!(arrived > 20_000, "{arrived}");
}

#[test]
fn limits_and_wishes_are_kept() {
    let mut call = Call::new(9, |_, config| controlled(config));
    let connection = &mut call.world[A].connection;
    connection.set_bitrate_limits(200_000, 800_000).unwrap();
    assert!(connection.set_bitrate_limits(2, 1).is_err());
    call.film(15, |target| target * 9 / 10);
    assert!((600_000..=800_000).contains(&call.target()), "{}", call.target());
    call.world[A].connection.set_bitrate_limits(200_000, 400_000).unwrap();
    assert_eq!(call.target(), 400_000);
    call.film(1, |target| target);
    assert_eq!(call.world[A].targets.last(), Some(&400_000));
    call.world[A].connection.set_bitrate_limits(200_000, 50_000_000).unwrap();
    call.world[A].connection.set_desired_bitrate(1_000_000);
    call.film(20, |target| target.min(1_000_000) * 9 / 10);
    assert!((800_000..4_000_000).contains(&call.target()), "{}", call.target());
}

#[test]
fn impossible_limits_are_refused_where_an_endpoint_makes_the_connection() {
    let mut config = config();
    let mut control = congestion::Config::new();
    control.initial_bitrate = 1;
    config.media_congestion_control = Some(control);
    let mut endpoint = wigwag::Endpoint::new(wigwag::EndpointConfig::default(), wigwag::Seed::for_test(1));
    let refused = endpoint.create(config.clone()).expect_err("no bitrate").to_string();
    assert!(refused.contains("media_congestion_control.initial_bitrate"), "{refused}");
    // A connection without an endpoint cannot be refused, and works with what is nearest.
    config.media_congestion_control.as_mut().unwrap().min_bitrate = 200_000;
    let mut world = World::pair(10, [A, Z].map(|host| Peer::new(connection(10, host, config.clone()))));
    world[A].connection.add_transceiver(MediaKind::Video, Direction::Sendonly).unwrap();
    negotiate(&mut world);
    until_connected(&mut world);
    assert_eq!(world[A].connection.target_bitrate(), Some(200_000));
}

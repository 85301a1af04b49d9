//! Offers with lines lost, doubled, moved and changed: what is answered is right, whatever was offered.

use super::*;
use std::collections::{BTreeMap, BTreeSet};
use wigwag_sansio::Rng;
use wigwag_sdp::{Attribute, Format, MediaDescription, Setup};

/// As other stacks write them: all in the session, all in each section, in the first section alone, older words.
const OFFERS: [&str; 4] = [
    "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0 1 2\na=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n\
     a=fingerprint:sha-256 AA:BB\na=setup:actpass\na=ice-options:trickle\na=sendrecv\n\
     m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0 8\na=mid:0\na=rtcp-mux\na=rtpmap:111 opus/48000/2\na=rtpmap:63 red/48000/2\n\
     a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\n\
     m=video 9 UDP/TLS/RTP/SAVPF 96 97\na=mid:1\na=rtcp-mux\na=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\n\
     a=rtcp-fb:96 nack\na=rtcp-fb:* ccm fir\na=ssrc-group:FID 1 2\na=ssrc:1 cname:x\na=ssrc:2 cname:x\n\
     a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\n\
     a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\n\
     m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:2\na=sctp-port:5000\na=max-message-size:262144\n",
    "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE a d\na=extmap-allow-mixed\n\
     m=audio 54321 UDP/TLS/RTP/SAVPF 0\nc=IN IP4 192.0.2.1\na=rtcp:9 IN IP4 0.0.0.0\na=ice-ufrag:abcd\n\
     a=ice-pwd:0123456789012345678901\na=fingerprint:sha-256 AA:BB\na=fingerprint:sha-512 CC:DD\na=setup:passive\na=mid:a\n\
     a=sendonly\na=rtcp-mux\na=rtcp-rsize\na=candidate:1 1 udp 9 192.0.2.1 54321 typ host\na=end-of-candidates\na=msid:s t\n\
     m=application 9 DTLS/SCTP 5001\na=ice-ufrag:efgh\na=ice-pwd:0123456789012345678901\na=fingerprint:sha-256 AA:BB\n\
     a=setup:passive\na=mid:d\na=sctpmap:5001 webrtc-datachannel 1024\n",
    "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0 1\n\
     m=video 9 UDP/TLS/RTP/SAVPF 102\na=mid:0\na=rtcp-mux\na=rtpmap:102 H264/90000\na=ice-ufrag:abcd\n\
     a=ice-pwd:0123456789012345678901\na=fingerprint:sha-256 AA:BB\na=setup:active\na=candidate:1 1 udp 9 192.0.2.7 5000 typ host\n\
     m=audio 0 UDP/TLS/RTP/SAVPF 109 0\na=mid:1\na=bundle-only\na=rtpmap:109 opus/48000/2\na=recvonly\n\
     a=extmap:3/recvonly urn:ietf:params:rtp-hdrext:sdes:mid\n",
    "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\na=setup:actpass\n\
     m=audio 4000 UDP/TLS/RTP/SAVP 0 101\na=rtpmap:0 PCMU/8000/1\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\n\
     a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\na=fingerprint:SHA-256 aa:bb\na=rtcp-mux\na=ptime:20\n",
];

/// One line is lost, doubled, moved, or has another word or number.
fn mutate(rng: &mut Rng, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut below = |n: usize| usize::try_from(rng.below(n as u64)).expect("a place");
    for _ in 0..=below(4) {
        let (at, to) = (4 + below(lines.len() - 4), 4 + below(lines.len() - 4));
        match below(7) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(to, lines[at].clone()),
            2 => lines.swap(at, to),
            3 => {
                let line = lines.remove(at);
                lines.insert(to.min(lines.len()), line);
            }
            4 => {
                let (from, to) = [
                    ("9", "0"),
                    ("0", "1"),
                    ("1", "2"),
                    ("4", "2"),
                    ("96", "111"),
                    ("sendrecv", "inactive"),
                    ("UDP/", "TCP/"),
                    ("actpass", "active"),
                    ("111", "96"),
                    ("audio", "video"),
                    ("mid:", "x-mid:"),
                    ("rtcp-mux", "x"),
                    ("2", "4"),
                ][below(13)];
                lines[at] = lines[at].replacen(from, to, 1);
            }
            5 => {
                let mut words: Vec<_> = lines[at].split(' ').map(str::to_owned).collect();
                let (one, other) = (below(words.len()), below(words.len()));
                words.swap(one, other);
                lines[at] = words.join(" ");
            }
            _ => {
                let tail = lines[at].split_once(':').map(|(_, tail)| tail.to_owned());
                let head = lines[to].split_once(':').map(|(head, _)| head.to_owned());
                if let (Some(tail), Some(head)) = (tail, head) {
                    lines[to] = format!("{head}:{tail}");
                }
            }
        }
    }
    lines.join("\n") + "\n"
}

fn extensions(section: &MediaDescription) -> BTreeMap<u16, String> {
    let all: BTreeMap<_, _> = section.attributes.extmaps().map(|map| (map.id, map.uri.clone())).collect();
    assert_eq!(all.len(), section.attributes.extmaps().count(), "a number twice");
    all
}

fn has(attributes: &wigwag_sdp::Attributes, wanted: &Attribute) -> bool {
    attributes.contains(wanted)
}

/// RFC 3264 §6, RFC 9143 §7.3, RFC 9429 §5.3.
fn is_right(offer: &SessionDescription, answer: &SessionDescription) {
    assert_eq!(offer.media.len(), answer.media.len());
    let bundle: Vec<_> = answer.bundled().collect();
    let offered: Vec<_> = offer.bundled().collect();
    assert_eq!(bundle.iter().collect::<BTreeSet<_>>().len(), bundle.len());
    assert!(bundle.iter().all(|mid| offered.contains(mid)));
    let live = answer.media.iter().filter(|section| !section.is_rejected()).count();
    let mut meanings = BTreeMap::new();
    for (offered, answered) in offer.media.iter().zip(&answer.media) {
        assert_eq!((&offered.media, &offered.protocol), (&answered.media, &answered.protocol));
        assert_eq!(offered.attributes.mid(), answered.attributes.mid());
        let is_bundled = answered.attributes.mid().is_some_and(|mid| bundle.contains(&mid));
        assert_eq!(answered.is_rejected(), answered.port == 0);
        if answered.is_rejected() {
            assert!(!is_bundled && answered.attributes.ice_ufrag().is_none());
            continue;
        }
        assert!(!offered.is_rejected(), "nobody asked for it");
        assert!(is_bundled || live == 1);
        assert!(matches!(answered.attributes.setup(), Some(Setup::Active | Setup::Passive)));
        assert!(answered.attributes.ice_ufrag().is_some() && answered.attributes.fingerprints().count() == 1);
        for (id, uri) in extensions(answered) {
            let mut maps = offered.attributes.extmaps().chain(offer.attributes.extmaps());
            assert!(maps.any(|map| (map.id, &map.uri) == (id, &uri)));
            assert_eq!(meanings.entry(id).or_insert(uri.clone()), &uri);
        }
        if answered.media != "application" {
            assert!(answered.formats.iter().all(|format| offered.formats.contains(format)));
            let unique: BTreeSet<_> = answered.formats.iter().collect();
            assert!(!unique.is_empty() && unique.len() == answered.formats.len());
            let way = |section: &MediaDescription, session: &SessionDescription| {
                section.attributes.direction().or(session.attributes.direction()).unwrap_or_default()
            };
            let (ours, theirs) = (way(answered, answer), way(offered, offer).reversed());
            assert_eq!(ours.and(theirs), ours);
            let mux = [Attribute::RtcpMux, Attribute::RtcpMuxOnly];
            let says = |attributes| mux.iter().any(|mux| has(attributes, mux));
            assert!(says(&offer.attributes) || offer.media.iter().any(|section| says(&section.attributes)));
            for format in answered.formats.iter().filter_map(Format::payload_type).filter(|number| *number >= 96) {
                let (ours, theirs) = (answered.attributes.rtpmap(format), offered.attributes.rtpmap(format));
                let (ours, theirs) = (ours.expect("a codec"), theirs.expect("a codec"));
                assert_eq!((&ours.encoding, ours.clock_rate), (&theirs.encoding, theirs.clock_rate));
            }
        }
    }
}

/// RFC 9429 §5.2.2: what comes next from us keeps the places, and is a right offer, too.
fn goes_on(answer: &SessionDescription, next: &SessionDescription) {
    assert!(next.media.len() >= answer.media.len());
    let mids: BTreeSet<_> = next.media.iter().map(|section| section.attributes.mid().expect("a name")).collect();
    assert_eq!(mids.len(), next.media.len(), "{}", outline(next));
    let mut meanings = BTreeMap::new();
    for (before, after) in answer.media.iter().zip(&next.media).filter(|(before, _)| !before.is_rejected()) {
        assert_eq!((before.media.as_str(), after.is_rejected()), (after.media.as_str(), false));
    }
    for section in &next.media {
        for (id, uri) in extensions(section) {
            assert_eq!(meanings.entry(id).or_insert(uri.clone()), &uri);
        }
        let unique: BTreeSet<_> = section.formats.iter().collect();
        assert_eq!(unique.len(), section.formats.len(), "{section}");
    }
}

/// What was said, which a test that fails tells.
struct Said(Vec<String>);

impl Said {
    fn note(&mut self, kind: SdpType, sdp: &SessionDescription) {
        self.0.push(format!("{kind}\n{sdp}"));
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0.join("\n"));
        }
    }
}

/// The peer's offer is answered, and what would come next is looked at; or it is refused, and nothing has changed.
fn offered(z: &mut Peer, offer: &SessionDescription) -> Option<SessionDescription> {
    let mut said = Said(Vec::new());
    said.note(SdpType::Offer, offer);
    let before = (z.jsep.now.clone(), z.jsep.signaling_state());
    if z.jsep.set_remote_description(SdpType::Offer, offer.clone()).is_err() {
        assert_eq!((z.jsep.now.clone(), z.jsep.signaling_state()), before);
        return None;
    }
    let answer = z.describe();
    said.note(SdpType::Answer, &answer);
    is_right(offer, &answer);
    let next = z.jsep.create_offer(&z.local).expect("an offer");
    goes_on(&answer, &SessionDescription::parse(&next.to_string()).expect("it reads"));
    Some(answer)
}

fn established() -> (Peer, Peer) {
    let (mut a, mut z) = (Peer::new('A'), Peer::new('Z'));
    a.add(MediaKind::Audio, Direction::Sendrecv, 1);
    a.add(MediaKind::Video, Direction::Sendonly, 2);
    a.jsep.want_data_channels();
    z.add(MediaKind::Audio, Direction::Sendrecv, 3);
    negotiate(&mut a, &mut z);
    (a, z)
}

const ROUNDS: usize = 2_000;

#[test]
fn whatever_is_offered_what_is_answered_is_right() {
    let mut rng = Rng::new(Seed::for_test(1));
    let mut answered = 0;
    for round in 0..ROUNDS {
        let offer = mutate(&mut rng, OFFERS[round % OFFERS.len()]);
        let Ok(offer) = SessionDescription::parse(&offer) else { continue };
        let mut z = Peer::new('Z');
        z.add(MediaKind::Audio, Direction::Sendrecv, 1);
        if round % 3 == 0 {
            z.jsep.want_data_channels();
        }
        let Some(answer) = offered(&mut z, &offer) else { continue };
        let again = offered(&mut z, &offer).expect("it was taken before");
        assert_eq!(outline(&again), outline(&answer), "{offer}");
        answered += 1;
    }
    assert!(answered > ROUNDS / 2, "{answered}");
}

#[test]
fn whatever_is_offered_again_what_is_answered_is_right() {
    let mut rng = Rng::new(Seed::for_test(2));
    for _ in 0..ROUNDS / 5 {
        let (mut a, mut z) = established();
        for _ in 0..6 {
            if rng.one_in(4) {
                a.add(MediaKind::Audio, Direction::Sendrecv, 9);
            }
            if rng.one_in(4) {
                z.add(MediaKind::Video, Direction::Sendrecv, 10);
            }
            let offer = a.jsep.create_offer(&a.local).expect("an offer").to_string();
            let offer = if rng.one_in(6) { offer } else { mutate(&mut rng, &offer) };
            let Ok(offer) = SessionDescription::parse(&offer) else { continue };
            if rng.one_in(2) {
                offered(&mut z, &offer);
                continue;
            }
            let before = z.jsep.now.clone();
            if z.jsep.set_remote_description(SdpType::Offer, offer).is_ok() {
                z.jsep.rollback().expect("an offer to take back");
                assert_eq!((&z.jsep.now.sections, &z.jsep.now.transceivers), (&before.sections, &before.transceivers));
                assert_eq!((&z.jsep.now.remote, &z.jsep.now.data), (&before.remote, &before.data));
            }
        }
    }
}

#[test]
fn whatever_is_answered_what_is_offered_next_is_right() {
    let mut rng = Rng::new(Seed::for_test(3));
    for _ in 0..ROUNDS / 2 {
        let (mut a, mut z) = established();
        a.add(MediaKind::Video, Direction::Sendrecv, 11);
        let mut said = Said(Vec::new());
        let offer = a.describe();
        said.note(SdpType::Offer, &offer);
        z.set_remote(offer);
        let right = z.describe().to_string();
        for _ in 0..4 {
            let Ok(answer) = SessionDescription::parse(&mutate(&mut rng, &right)) else { continue };
            let before = (a.jsep.now.clone(), a.jsep.signaling_state());
            let kind = if rng.one_in(3) { SdpType::Pranswer } else { SdpType::Answer };
            said.note(kind, &answer);
            if a.jsep.set_remote_description(kind, answer.clone()).is_err() {
                assert_eq!((a.jsep.now.clone(), a.jsep.signaling_state()), before);
                continue;
            }
            if kind == SdpType::Answer {
                let next = a.jsep.create_offer(&a.local).expect("an offer");
                goes_on(&answer, &SessionDescription::parse(&next.to_string()).expect("it reads"));
                let is_live = answer.media.iter().any(|section| !section.is_rejected());
                assert_eq!(is_live, a.jsep.remote_transport().is_some());
                for found in a.jsep.transceivers() {
                    let agreed = found.negotiated.as_ref().expect("an agreement");
                    assert!(!agreed.send_codecs.is_empty());
                    assert_eq!(agreed.send_codecs.len(), agreed.receive_codecs.len());
                }
                break;
            }
        }
    }
}

//! Layers of simulcast (RFC 8851, RFC 8853).

use super::super::{Codec, HeaderExtension, SendLayer};
use super::*;
use expect_test::expect;

fn names(rids: &[&str]) -> Vec<String> {
    rids.iter().map(|rid| (*rid).to_owned()).collect()
}

/// Takes so many layers.
fn server(layers_max: usize) -> Peer {
    Peer::with('Z', Config { receive_layers_max: layers_max, ..Config::default() })
}

/// Sends these layers.
fn publisher(rids: &[&str]) -> (Peer, TransceiverId) {
    publisher_with(Config::default(), rids)
}

fn publisher_with(config: Config, rids: &[&str]) -> (Peer, TransceiverId) {
    let mut a = Peer::with('A', config);
    let id = a.add(MediaKind::Video, Direction::Sendonly, 1);
    let layer = |(n, rid): (usize, &&str)| SendLayer { rid: (*rid).to_owned(), ssrc: n as u32 + 1, rtx_ssrc: None };
    let layers = rids.iter().enumerate().map(layer).collect();
    let send = a.transceiver(id).send.clone().expect("sends");
    a.jsep.set_send(id, Some(SendStream { layers, ..send })).expect("there");
    (a, id)
}

fn agreed(peer: &Peer) -> [Vec<String>; 2] {
    let transceiver = peer.jsep.transceivers().next().expect("one");
    let negotiated = transceiver.negotiated.as_ref().expect("negotiated");
    [&negotiated.send_layers, &negotiated.receive_layers]
        .map(|layers| layers.iter().map(|layer| layer.rid.clone()).collect())
}

/// What is said of layers.
fn lines(sdp: &SessionDescription) -> String {
    let shown = ["a=rid", "a=simulcast", "a=ssrc"];
    let text = sdp.to_string();
    let is_shown = |line: &&str| shown.iter().any(|start| line.starts_with(start)) || line.contains("stream-id");
    text.lines().filter(is_shown).map(|line| format!("{line}\n")).collect()
}

#[test]
fn layers_that_are_offered_are_taken_by_who_wants_them() {
    let (mut a, _) = publisher(&["q", "h", "f"]);
    let mut z = server(3);
    let (offer, answer) = negotiate(&mut a, &mut z);
    expect![[r#"
        a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
        a=rid:q send
        a=rid:h send
        a=rid:f send
        a=simulcast:send q;h;f
    "#]]
    .assert_eq(&lines(&offer));
    expect![[r#"
        a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
        a=rid:q recv
        a=rid:h recv
        a=rid:f recv
        a=simulcast:recv q;h;f
    "#]]
    .assert_eq(&lines(&answer));
    assert_eq!(agreed(&a), [names(&["q", "h", "f"]), vec![]]);
    assert_eq!(agreed(&z), [vec![], names(&["q", "h", "f"])]);
}

#[test]
fn who_wants_one_stream_refuses_layers_and_who_wants_two_takes_the_first_two() {
    for layers_max in [0, 1] {
        let (mut a, _) = publisher(&["q", "h", "f"]);
        let mut z = server(layers_max);
        let (_, answer) = negotiate(&mut a, &mut z);
        assert_eq!(lines(&answer), "");
        assert_eq!((agreed(&a), agreed(&z)), Default::default());
    }
    let (mut a, _) = publisher(&["q", "h", "f"]);
    let mut z = server(2);
    negotiate(&mut a, &mut z);
    assert_eq!(agreed(&a)[0], names(&["q", "h"]));
    assert_eq!(agreed(&z)[1], names(&["q", "h"]));
}

#[test]
fn layers_that_an_offer_asks_for_are_answered_with_those_that_are_there() {
    let mut z = server(1);
    let id = z.add(MediaKind::Video, Direction::Recvonly, 9);
    z.jsep.set_receive_layers(id, names(&["f", "h", "x"])).expect("there");
    let (mut a, _) = publisher(&["q", "h", "f"]);
    let (offer, answer) = negotiate(&mut z, &mut a);
    assert!(lines(&offer).ends_with("a=rid:f recv\na=rid:h recv\na=rid:x recv\na=simulcast:recv f;h;x\n"));
    assert!(lines(&answer).ends_with("a=rid:h send\na=rid:f send\na=simulcast:send h;f\n"));
    assert_eq!(agreed(&a), [names(&["h", "f"]), vec![]]);
    assert_eq!(agreed(&z), [vec![], names(&["f", "h"])]);
}

#[test]
fn an_offer_of_either_side_keeps_what_is_agreed_upon() {
    let (mut a, _) = publisher(&["q", "h", "f"]);
    let mut z = server(3);
    negotiate(&mut a, &mut z);
    let (again, _) = negotiate(&mut z, &mut a);
    assert!(lines(&again).ends_with("a=simulcast:recv q;h;f\n"), "{again}");
    assert_eq!((agreed(&a)[0].len(), agreed(&z)[1].len()), (3, 3));
    negotiate(&mut a, &mut z);
    assert_eq!((agreed(&a)[0].len(), agreed(&z)[1].len()), (3, 3));
}

/// A video section of a browser (Chromium 156) with these lines.
fn offer(lines: &str) -> SessionDescription {
    let rest = lines.replace('\n', "\r\n");
    let text = format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\n\
         c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 {}41\r\n\
         a=setup:actpass\r\na=mid:0\r\na=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendonly\r\na=rtcp-mux\r\n\
         a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:98 H264/90000\r\n{rest}",
        "41:".repeat(31)
    );
    SessionDescription::parse(&text).expect("an offer")
}

const RID: &str = "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\n";

/// The layers with which an offer is answered by who takes as many as there may be.
fn answered(said: &str) -> (String, Vec<String>) {
    let mut z = server(usize::MAX);
    z.set_remote(offer(said));
    let answer = z.describe();
    (lines(&answer), agreed(&z)[1].clone())
}

#[test]
fn of_alternatives_the_first_is_taken_and_each_name_once_and_only_those_that_are_explained() {
    let rids = "a=rid:1 send\na=rid:2 send\na=rid:3 recv\na=rid:4 send\na=rid:5 send\n";
    let simulcast = "a=simulcast:send 1,5;~2;1;3;6;4\n";
    let (said, taken) = answered(&format!("{RID}{rids}{simulcast}"));
    assert_eq!(taken, names(&["1", "2", "4"]));
    assert!(said.ends_with("a=rid:1 recv\na=rid:2 recv\na=rid:4 recv\na=simulcast:recv 1;2;4\n"), "{said}");
}

#[test]
fn layers_whose_names_no_packet_could_tell_are_refused() {
    let said = "a=rid:1 send\na=rid:2 send\na=simulcast:send 1;2\n";
    assert_eq!(answered(said), Default::default(), "without the header extension");
    let long = "a".repeat(17);
    let odd = format!("{RID}a=rid:{long} send\na=rid:a.b send\na=rid:ok send\na=simulcast:send {long};a.b;ok\n");
    assert_eq!(answered(&odd).1, names(&["ok"]));
}

#[test]
fn restrictions_stay_but_for_the_payload_types_that_are_refused() {
    let rids = "a=rid:1 send pt=96,98;max-width=1280\na=rid:2 send pt=98\na=rid:3 send max-fps=15;odd\n";
    let (said, taken) = answered(&format!("{RID}{rids}a=simulcast:send 1;2;3\n"));
    assert_eq!(taken, names(&["1", "3"]));
    assert!(said.contains("a=rid:1 recv pt=96;max-width=1280\na=rid:3 recv max-fps=15;odd\n"), "{said}");
}

#[test]
fn a_section_has_sixteen_layers_at_most_however_many_are_named() {
    let all: Vec<String> = (0..2_000).map(|n| n.to_string()).collect();
    let rids: String = all.iter().map(|rid| format!("a=rid:{rid} send\n")).collect();
    let (_, taken) = answered(&format!("{RID}{rids}a=simulcast:send {}\n", all.join(";")));
    assert_eq!(taken, all[..16]);
}

#[test]
fn an_answer_that_names_layers_that_were_not_offered_does_not_bring_them() {
    let (mut a, _) = publisher(&["q", "h"]);
    let mut z = server(3);
    z.set_remote(a.describe());
    let answer = z.describe().to_string().replace("a=rid:h recv", "a=rid:x recv").replace("recv q;h", "recv x;q");
    a.set_remote(SessionDescription::parse(&answer).expect("an answer"));
    assert_eq!(agreed(&a)[0], names(&["q"]));
}

#[test]
fn one_stream_says_nothing_of_layers_though_layers_are_taken() {
    let mut z = server(3);
    let mut a = Peer::with('A', Config { codecs: vec![Codec::vp8()], ..Config::default() });
    a.add(MediaKind::Video, Direction::Sendrecv, 1);
    let (offer, answer) = negotiate(&mut a, &mut z);
    assert_eq!((lines(&offer).as_str(), lines(&answer).as_str()), ("a=ssrc:1 cname:c\n", ""));
}

#[test]
fn of_alternatives_the_first_that_can_be_taken_is() {
    // RFC 8853 §5.2: they are there to be chosen from, here by codec.
    let rids = "a=rid:1 send pt=98\na=rid:2 send pt=96\na=rid:3 send\na=rid:4 send pt=96\n";
    let (said, taken) = answered(&format!("{RID}{rids}a=simulcast:send 1,2,4;x,3\n"));
    assert_eq!(taken, names(&["2", "3"]));
    assert!(said.ends_with("a=rid:2 recv pt=96\na=rid:3 recv\na=simulcast:recv 2;3\n"), "{said}");
}

#[test]
fn of_alternatives_that_are_asked_for_one_is_sent() {
    let (mut a, _) = publisher(&["q", "h", "f"]);
    let asked = "a=rid:f recv pt=96\na=rid:h recv\na=rid:q recv\na=simulcast:recv h,f;q\n";
    a.set_remote(reversed(&format!("{RID}{asked}")));
    let answer = a.describe();
    assert!(lines(&answer).ends_with("a=rid:q send\na=rid:h send\na=simulcast:send q;h\n"), "{answer}");
    assert_eq!(agreed(&a)[0], names(&["q", "h"]));
}

/// The same, of somebody who asks for what we send.
fn reversed(lines: &str) -> SessionDescription {
    let text = offer(lines).to_string().replace("a=sendonly", "a=recvonly");
    SessionDescription::parse(&text).expect("an offer")
}

#[test]
fn what_a_layer_is_restricted_to_stands_in_our_answer_too() {
    let (mut a, _) = publisher(&["q", "h", "f"]);
    let asked = "a=rid:q recv pt=96,98;max-width=320\na=rid:h recv pt=98\na=rid:f recv\na=simulcast:recv q;h;f\n";
    a.set_remote(reversed(&format!("{RID}{asked}")));
    let said = lines(&a.describe());
    assert!(said.ends_with("a=rid:q send pt=96;max-width=320\na=rid:f send\na=simulcast:send q;f\n"), "{said}");
    assert_eq!(agreed(&a)[0], names(&["q", "f"]));
}

#[test]
fn a_layer_that_the_peer_wants_paused_is_not_sent_until_it_is_wanted() {
    let (mut a, _) = publisher(&["q", "h", "f"]);
    let mut z = server(3);
    z.set_remote(a.describe());
    let answer = z.describe().to_string();
    for (asked, taken) in [("~q;h;~f", &["h"][..]), ("q;h;f", &["q", "h", "f"]), ("q;~h;f", &["q", "f"])] {
        let answer = answer.replace("recv q;h;f", &format!("recv {asked}"));
        a.set_remote(SessionDescription::parse(&answer).expect("an answer"));
        assert_eq!(agreed(&a)[0], names(taken));
        a.describe();
    }
    // What the peer sends paused now, it may send later without another word.
    assert_eq!(answered(&format!("{RID}a=rid:1 send\na=rid:2 send\na=simulcast:send ~1;2\n")).1, names(&["1", "2"]));
}

#[test]
fn layers_that_we_have_asked_for_stay_when_the_peer_offers() {
    for layers_max in [1, 3] {
        let mut z = server(layers_max);
        let id = z.add(MediaKind::Video, Direction::Recvonly, 9);
        z.jsep.set_receive_layers(id, names(&["f", "h"])).expect("there");
        let (mut a, _) = publisher(&["q", "h", "f"]);
        negotiate(&mut z, &mut a);
        negotiate(&mut a, &mut z);
        assert_eq!(agreed(&a)[0], names(&["h", "f"]));
        assert_eq!(agreed(&z)[1], names(&["h", "f"]));
    }
}

/// What names layers stays, too: Chromium takes a header extension that an answer has not for one that was negotiated away, and then cannot
/// offer its own layers again.
#[test]
fn layers_stay_while_nothing_is_sent_whoever_says_so_and_whoever_ends_it() {
    for (stops, resumes) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let (a, id) = publisher(&["q", "h", "f"]);
        let mut peers = [a, server(3)];
        let [a, z] = &mut peers;
        negotiate(a, z);
        let ids = [id, z.jsep.transceivers().next().expect("one").id];
        let turn = |peers: &mut [Peer; 2], whose: usize, direction| {
            peers[whose].jsep.set_direction(ids[whose], direction).expect("there");
        };
        let offer = |peers: &mut [Peer; 2], whose: usize| {
            let [a, z] = peers;
            if whose == 0 { negotiate(a, z) } else { negotiate(z, a) }
        };
        turn(&mut peers, stops, Direction::Inactive);
        let (offered, answered) = offer(&mut peers, stops);
        for said in [offered, answered].map(|sdp| lines(&sdp)) {
            assert!(said.contains("sdes:rtp-stream-id") && !said.contains("a=rid"), "nothing is sent: {said}");
        }
        assert_eq!((agreed(&peers[0])[0].len(), agreed(&peers[1])[1].len()), (3, 3));
        turn(&mut peers, stops, [Direction::Sendonly, Direction::Recvonly][stops]);
        let (offered, _) = offer(&mut peers, resumes);
        assert!(lines(&offered).contains("q;h;f"), "{stops} {resumes}: {offered}");
        assert_eq!(agreed(&peers[0]), [names(&["q", "h", "f"]), vec![]]);
        assert_eq!(agreed(&peers[1]), [vec![], names(&["q", "h", "f"])]);
    }
}

#[test]
fn no_layers_are_offered_that_packets_cannot_name() {
    let mut config = Config::default();
    config.header_extensions.retain(|extension| extension.uri != HeaderExtension::RID);
    let mut a = Peer::with('A', config);
    let id = a.add(MediaKind::Video, Direction::Sendonly, 1);
    let layers = vec![SendLayer { rid: "q".into(), ssrc: 1, rtx_ssrc: None }];
    let send = a.transceiver(id).send.clone().expect("sends");
    a.jsep.set_send(id, Some(SendStream { layers, ..send })).expect("there");
    assert_eq!(lines(&a.describe()), "a=ssrc:1 cname:c\n");
}

/// A sends `q`, `h` and `f`; what Z restricts each to in its answer, and what A reads of that.
fn restricted(lines: [&str; 3]) -> Vec<super::super::NegotiatedLayer> {
    let config = || Config { codecs: vec![Codec::vp8(), Codec::vp9()], receive_layers_max: 3, ..Config::default() };
    let (mut a, _) = publisher_with(config(), &["q", "h", "f"]);
    let mut z = Peer::with('Z', config());
    z.set_remote(a.describe());
    let mut answer = z.describe().to_string();
    for (rid, restrictions) in ["q", "h", "f"].iter().zip(lines) {
        answer = answer.replace(&format!("a=rid:{rid} recv"), &format!("a=rid:{rid} recv {restrictions}"));
    }
    a.set_remote(SessionDescription::parse(&answer).expect("an answer"));
    let transceiver = a.jsep.transceivers().next().expect("one");
    transceiver.negotiated.as_ref().expect("negotiated").send_layers.clone()
}

#[test]
fn what_the_peer_restricts_a_layer_to_is_told() {
    let said =
        "pt=96;max-width=1280;max-height=720;max-fps=30;max-fs=921600;max-pps=27648000;max-br=2000000;max-bpp=1.25";
    let layers = restricted(["max-width=320;max-fps", said, ""]);
    let all = layers[2].payload_types.clone();
    assert!(all.len() > 1 && layers[0].payload_types == all && layers[1].payload_types == [96], "{layers:?}");
    let [q, h, f] = [0, 1, 2].map(|n| layers[n].restrictions);
    assert_eq!((q.width_max, q.height_max, q.frames_per_second_max), (Some(320), None, None));
    assert_eq!((h.width_max, h.height_max, h.frames_per_second_max), (Some(1280), Some(720), Some(30)));
    assert_eq!((h.pixels_max, h.pixels_per_second_max), (Some(921_600), Some(27_648_000)));
    assert_eq!((h.bits_per_second_max, h.bits_per_10_000_pixels_max), (Some(2_000_000), Some(12_500)));
    assert_eq!(f, Default::default());
}

/// RFC 8851 §6.2.2, §6.4: what is asked for in a way that is not understood, or of codecs that were not agreed upon, is discarded.
#[test]
fn a_layer_that_is_asked_for_in_a_way_that_nobody_can_obey_is_not_sent() {
    for unknown in
        ["odd", "depend=q", "max-width=ten", "max-width=-1", "max-fps=+5", "max-bpp=1.23456", "pt=111", "pt=", "pt=x"]
    {
        let rids: Vec<_> = restricted(["", unknown, "max-height=90"]).into_iter().map(|layer| layer.rid).collect();
        assert_eq!(rids, ["q", "f"], "{unknown}");
    }
    let (mut a, _) = publisher(&["q", "h"]);
    a.set_remote(reversed(&format!("{RID}a=rid:q recv odd\na=rid:h recv max-fps=5\na=simulcast:recv q;h\n")));
    assert!(lines(&a.describe()).ends_with("a=rid:h send max-fps=5\na=simulcast:send h\n"));
    assert_eq!(agreed(&a)[0], names(&["h"]));
}

/// What the peer says of what it sends, binds the peer: it is taken, and told.
#[test]
fn what_the_peer_says_of_the_layers_that_it_sends_is_told() {
    let mut z = server(3);
    z.set_remote(offer(&format!("{RID}a=rid:1 send pt=96;max-width=640;odd\na=rid:2 send\na=simulcast:send 1;2\n")));
    z.describe();
    let transceiver = z.jsep.transceivers().next().expect("one");
    let layers = &transceiver.negotiated.as_ref().expect("negotiated").receive_layers;
    let told: Vec<_> = layers.iter().map(|layer| (layer.payload_types[0], layer.restrictions.width_max)).collect();
    assert_eq!(told, [(96, Some(640)), (96, None)]);
}

//! Peers and callers that do what is allowed and seldom done.

use super::*;

/// A peer's description of sections in one bundle, with whatever lines they have.
fn description(session: &str, sections: &[&str]) -> SessionDescription {
    let head = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\na=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n\
                a=fingerprint:sha-256 AA:BB\na=setup:actpass\n";
    SessionDescription::parse(&format!("{head}{session}{}", sections.concat())).expect("it reads")
}

/// RFC 8866 §6.7: what the session says of the direction holds for sections that say nothing.
#[test]
fn a_direction_of_the_whole_session_asks_for_no_negotiation() {
    let mut z = Peer::new('Z');
    let id = z.add(MediaKind::Audio, Direction::Sendrecv, 1);
    z.set_remote(description("a=recvonly\n", &["m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\na=rtcp-mux\n"]));
    z.describe();
    assert_eq!(z.transceiver(id).current_direction, Some(Direction::Sendonly));
    assert!(!z.jsep.is_negotiation_needed());
}

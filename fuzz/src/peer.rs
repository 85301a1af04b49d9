//! Peer connections: negotiation, transport, data channels and media together.

use crate::dtls::CERTIFICATES;
use crate::duel::{Player, duel};
use crate::ice;
use crate::script::Script;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wigwag::{Config, DataChannelInit, Datagram, Direction, Event, Frame, IceCandidate, MediaError, MediaKind};
use wigwag::{PeerConnection, RtpPacket, SdpType, Seed, SendError, SessionDescription, TransceiverId, WallClock};

/// Any text as a description of the peer, at any moment of a negotiation.
pub fn peer_description(data: &[u8]) {
    let script = &mut Script::new(data);
    let moment = script.byte();
    let mut connection = connection(0, moment & 8 != 0);
    if moment & 1 != 0 {
        connection.create_data_channel("fuzz", DataChannelInit::default()).expect("a first channel");
        connection.add_track(MediaKind::Audio).expect("a first track");
    }
    if moment & 2 != 0 {
        let offer = connection.create_offer().expect("a first offer");
        connection.set_local_description(offer).expect("our own offer");
    }
    let kind = if moment & 4 != 0 { SdpType::Answer } else { SdpType::Offer };
    let sdp = String::from_utf8_lossy(script.rest()).into_owned();
    let before = connection.signaling_state();
    let is_set = connection.set_remote_description(SessionDescription { kind, sdp }).is_ok();
    if !is_set {
        assert_eq!(connection.signaling_state(), before, "what is refused changes nothing");
    } else if kind == SdpType::Offer {
        let answer = connection.create_answer().expect("an offer that was set has an answer");
        connection.set_local_description(answer).expect("our own answer");
    }
    duel([Peer::with(connection, 0), Peer::new(1)], &[13, 13]);
}

/// Any packets, commands and messages of signalling between two connections.
pub fn peer_connection(data: &[u8]) {
    _ = play(data);
}

fn play(data: &[u8]) -> [Peer; 2] {
    let [a, mut z] = [Peer::new(0), Peer::new(1)];
    z.mail = Rc::clone(&a.mail);
    duel([a, z], data)
}

fn connection(number: usize, sctp_snap: bool) -> PeerConnection {
    let clock = WallClock::new(wigwag_sim::origin(), Duration::from_secs(1_700_000_000));
    let mut config = Config::new(clock);
    config.certificate = Some(Arc::clone(&CERTIFICATES[number]));
    config.credentials = Some(ice::credentials(number));
    (config.receive_buffer, config.send_buffer) = (1 << 20, 100_000);
    config.negotiation.sctp_snap = sctp_snap;
    config.negotiation.receive_layers_max = 3;
    let mut connection = PeerConnection::new(config, Seed::for_test(number as u64));
    connection.add_local_address(ice::address(1 + number as u8)).expect("an address");
    connection
}

/// What passes by signalling.
enum Letter {
    Description(SessionDescription),
    Candidate(Option<IceCandidate>),
}

struct Peer {
    connection: PeerConnection,
    number: usize,
    /// On its way to each.
    mail: Rc<RefCell<[VecDeque<Letter>; 2]>>,
    messages: u32,
}

impl Peer {
    fn new(number: usize) -> Self {
        Self::with(connection(number, false), number)
    }

    fn with(connection: PeerConnection, number: usize) -> Self {
        Self { connection, number, mail: Rc::default(), messages: 0 }
    }

    fn write(&self, letter: Letter) {
        if let Some(mail) = self.mail.borrow_mut().get_mut(1 - self.number) {
            mail.push_back(letter);
        }
    }

    fn offer(&mut self) {
        let Ok(offer) = self.connection.create_offer() else { return };
        if self.connection.set_local_description(offer.clone()).is_ok() {
            self.write(Letter::Description(offer));
        }
    }

    /// Reads a letter, sometimes a damaged one, and answers an offer.
    fn read(&mut self, script: Option<&mut Script<'_>>) {
        let letter = self.mail.borrow_mut().get_mut(self.number).and_then(VecDeque::pop_front);
        match letter {
            None => {}
            Some(Letter::Candidate(mut candidate)) => {
                if let (Some(script), Some(candidate)) = (script, &mut candidate) {
                    damage(script, &mut candidate.candidate);
                }
                _ = self.connection.add_ice_candidate(candidate.as_ref());
            }
            Some(Letter::Description(mut description)) => {
                if let Some(script) = script {
                    damage(script, &mut description.sdp);
                }
                let kind = description.kind;
                if self.connection.set_remote_description(description).is_ok() && kind == SdpType::Offer {
                    self.answer();
                }
            }
        }
    }

    fn answer(&mut self) {
        let answer = self.connection.create_answer().expect("an offer that was set has an answer");
        self.connection.set_local_description(answer.clone()).expect("our own answer");
        self.write(Letter::Description(answer));
    }

    fn send(&mut self, script: &mut Script<'_>) {
        let ids: Vec<_> = self.connection.data_channels().map(|(id, _)| id).collect();
        let (index, length, command) = (script.byte(), script.u16(), script.byte());
        let Some(id) = usize::from(index).checked_rem(ids.len()).and_then(|index| ids.get(index)) else { return };
        let data = Bytes::from(vec![7; length.into()]);
        match command {
            0..=199 => match self.connection.send(*id, data.clone(), command & 1 == 0) {
                Err(SendError::Full(returned)) => assert_eq!(returned, data, "a refused message is given back"),
                _ => assert!(self.connection.buffered_amount(*id) <= 200_000, "the send buffer is bounded"),
            },
            200..=229 => self.connection.set_buffered_amount_low_threshold(*id, length.into()),
            _ => self.connection.close_data_channel(*id),
        }
    }

    /// Simulcast.
    fn layers(&mut self, id: TransceiverId, script: &mut Script<'_>) {
        let byte = script.byte();
        let (rid, rids) = (RIDS[usize::from(byte % 4)], &RIDS[usize::from(byte / 4 % 4)..3]);
        match byte / 16 {
            0..=2 => _ = self.connection.set_send_layers(id, rids.iter().copied()),
            3 | 4 => _ = self.connection.set_receive_layers(id, rids.iter().copied()),
            5..=9 => {
                let data = Bytes::copy_from_slice(script.bytes());
                _ = self.connection.write_layer_frame(id, rid, Frame::new(96, script.u16().into(), data));
            }
            10..=12 => {
                let packet = RtpPacket::new(96, script.u16().into(), Bytes::from_static(b"media"));
                _ = self.connection.write_layer_packet(id, rid, packet);
            }
            13 if byte.is_multiple_of(2) => self.connection.cut_layer_forwarding(id, rid),
            13 => assert!(self.connection.layer_stats(id).len() <= RIDS.len()),
            _ => self.connection.request_layer_key_frame(id, rid),
        }
    }

    fn media(&mut self, script: &mut Script<'_>) {
        let ids: Vec<_> = self.connection.transceivers().map(|transceiver| transceiver.id).collect();
        let (index, command) = (script.byte(), script.byte());
        let Some(id) = usize::from(index).checked_rem(ids.len()).and_then(|index| ids.get(index)) else { return };
        match command {
            0..=99 => {
                let packet = RtpPacket::new(111 - command % 2 * 15, script.u16().into(), Bytes::from_static(b"media"));
                _ = self.connection.write_packet(*id, packet);
            }
            100..=179 => {
                let data = Bytes::copy_from_slice(script.bytes());
                let frame = Frame::new(111 - command % 2 * 15, script.u16().into(), data.clone());
                if let Err(MediaError::Full(returned) | MediaError::SendsPackets(returned)) =
                    self.connection.write_frame(*id, frame)
                {
                    assert_eq!(returned, data, "a refused frame is given back");
                }
            }
            180..=183 => self.layers(*id, script),
            184..=189 => _ = self.connection.receive_frames(*id),
            190..=194 => {
                _ = self.connection.set_jitter_buffer_target(*id, Duration::from_millis(script.u16().into()));
            }
            195..=199 => {
                let json = self.connection.stats(wigwag_sim::origin()).to_json();
                assert!(json.starts_with("{\"P\":") && json.ends_with("}}"), "{json}");
            }
            200..=219 => self.connection.request_key_frame(*id),
            220..=245 => {
                let directions = [Direction::Sendrecv, Direction::Sendonly, Direction::Recvonly, Direction::Inactive];
                _ = self.connection.set_direction(*id, directions[usize::from(command % 4)]);
            }
            _ => _ = self.connection.stop_transceiver(*id),
        }
    }
}

/// Names of layers, and one that is none.
const RIDS: [&str; 4] = ["q", "h", "f", "no name"];

/// One line of a text is taken out, doubled or overwritten.
fn damage(script: &mut Script<'_>, text: &mut String) {
    let (kind, line) = (script.byte(), script.byte());
    let mut lines: Vec<_> = text.split_inclusive('\n').map(str::to_owned).collect();
    let Some(at) = usize::from(line).checked_rem(lines.len()) else { return };
    match kind % 3 {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        _ => {
            let patch = String::from_utf8_lossy(script.bytes()).into_owned();
            let kept = lines[at].chars().take(usize::from(kind / 3)).collect::<String>();
            lines[at] = format!("{kept}{patch}\r\n");
        }
    }
    *text = lines.concat();
}

/// A name that hides an address.
fn hidden(number: u8) -> String {
    format!("{:08x}-ea17-4bcf-a596-105139dfd8bf.local", number % 20)
}

/// The default of `wigwag::Config::mtu`.
const DATAGRAM_LEN_MAX: usize = 1232;

/// As of an ICE agent: the first two bytes on the wire are the addresses.
impl Player for Peer {
    fn input(&mut self, packet: &mut [u8], now: Instant) {
        if let [from, to, payload @ ..] = packet {
            self.connection.handle_input(Datagram::udp(ice::address(*to), ice::address(*from), payload), now);
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
    }

    fn packet(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        let Some(transmit) = self.connection.poll_transmit(now, out) else { return false };
        assert!(out.len() <= DATAGRAM_LEN_MAX && transmit.segment_size >= out.len(), "one datagram that fits");
        out.splice(..0, [ice::number(transmit.local), ice::number(transmit.remote)]);
        true
    }

    fn event(&mut self) -> bool {
        match self.connection.poll_event() {
            None => false,
            Some(event) => {
                match event {
                    Event::IceCandidate(candidate) => self.write(Letter::Candidate(candidate)),
                    Event::Message { .. } => self.messages += 1,
                    _ => {}
                }
                true
            }
        }
    }

    fn wake(&self, now: Instant) -> Option<Instant> {
        self.connection.poll_timeout(now)
    }

    fn command(&mut self, script: &mut Script<'_>) {
        match script.byte() {
            0..=31 => _ = self.connection.create_data_channel("fuzz", DataChannelInit::default()),
            32..=47 => {
                _ = self.connection.add_track(if script.byte() & 1 == 0 { MediaKind::Audio } else { MediaKind::Video })
            }
            48..=79 => self.offer(),
            80..=127 => self.read(None),
            128..=143 => self.read(Some(script)),
            144..=199 => self.send(script),
            200..=239 => self.media(script),
            244 | 245 => _ = self.connection.restart_ice(),
            246 => self.connection.remove_local_address(ice::address(1 + self.number as u8 + script.byte() % 3 * 2)),
            247 => {
                let address = ice::address(1 + self.number as u8 + script.byte() % 3 * 2);
                _ = self.connection.add_local_address(address);
            }
            240..=243 => {
                let rollback = SessionDescription { kind: SdpType::Rollback, sdp: String::new() };
                _ = self.connection.set_local_description(rollback);
            }
            248 => {
                let (name, port) = (hidden(script.byte()), script.byte());
                let text = format!("candidate:1 1 udp 2130706431 {name} {port} typ host");
                _ = self.connection.add_ice_candidate(Some(&IceCandidate::new(text)));
            }
            249 => {
                let (name, address) = (hidden(script.byte()), script.byte());
                let address = Some(ice::address(address).ip()).filter(|_| address & 0x80 == 0);
                self.connection.set_address_of_name(&name, address);
            }
            _ => self.connection.close(),
        }
        _ = (self.connection.transport_stats(), self.connection.connection_state(), self.connection.drops());
    }

    /// STUN with integrity; whatever else is as it is.
    fn repair(&self, packet: &mut Vec<u8>) {
        if packet.get(2).is_some_and(|first| *first < 4) {
            ice::repair(packet, self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag::ConnectionState;

    #[test]
    fn the_seeds_get_where_they_want() {
        let peers = play(include_bytes!("../corpus/peer_connection/data"));
        assert!(peers.iter().all(|peer| peer.connection.connection_state() == ConnectionState::Connected));
        assert!(peers.iter().any(|peer| peer.messages > 0), "a message has arrived");
        let peers = play(include_bytes!("../corpus/peer_connection/restart"));
        for Peer { connection, number, .. } in &peers {
            assert_eq!(connection.connection_state(), ConnectionState::Connected);
            assert_ne!(connection.local_ufrag(), ice::credentials(*number).ufrag, "it has begun anew");
        }
    }
}

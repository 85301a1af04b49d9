//! Two peers do what chance tells them, in any order, over a signalling path that takes its time; in the end they agree and all works.

use crate::common::{Peer, pair};
use std::collections::VecDeque;
use std::time::Duration;
use wigwag::sansio::{Rng, Seed};
use wigwag::{
    DataChannelInit, Direction, IceCandidate, MediaKind, RtpPacket, SdpType, SessionDescription, SignalingState,
    TransceiverId,
};
use wigwag_sim::{A, Host, World, Z, seeds};

const BOTH: [Host; 2] = [A, Z];
const TRANSCEIVERS_MAX: usize = 6;

/// What the signalling carries.
enum Signal {
    Description(SessionDescription),
    Candidate(IceCandidate),
    /// An offer was not taken: whoever made it takes it back.
    Refused,
}

struct Script {
    world: World<Peer>,
    rng: Rng,
    /// What is on its way to each.
    to: [VecDeque<Signal>; 2],
    said: Vec<String>,
}

const fn at(host: Host) -> usize {
    if matches!(host, A) { 0 } else { 1 }
}

const fn other(host: Host) -> Host {
    if matches!(host, A) { Z } else { A }
}

impl Script {
    fn new(seed: u64) -> Self {
        let rng = Rng::new(Seed::for_test(seed).fork("script"));
        Self { world: pair(seed), rng, to: [VecDeque::new(), VecDeque::new()], said: Vec::new() }
    }

    fn kind(&mut self) -> MediaKind {
        if self.rng.one_in(2) { MediaKind::Audio } else { MediaKind::Video }
    }

    fn direction(&mut self) -> Direction {
        Direction::new(!self.rng.one_in(4), !self.rng.one_in(4))
    }

    fn any_transceiver(&mut self, host: Host) -> Option<TransceiverId> {
        let all: Vec<_> = self.world[host].connection.transceivers().map(|found| found.id).collect();
        let which = self.rng.below(all.len().max(1) as u64);
        all.get(usize::try_from(which).unwrap()).copied()
    }

    fn state(&self, host: Host) -> SignalingState {
        self.world[host].connection.signaling_state()
    }

    fn say(&mut self, host: Host, what: &str) {
        self.said.push(format!("{host:?} {what} ({})", self.state(host)));
    }

    fn step(&mut self) {
        let host = if self.rng.one_in(2) { A } else { Z };
        match self.rng.below(24) {
            0 => self.add(host),
            1 if self.rng.one_in(2) => {
                let direction = self.direction();
                if let Some(id) = self.any_transceiver(host) {
                    self.say(host, &format!("{id:?} {direction}"));
                    self.world[host].connection.set_direction(id, direction).unwrap();
                }
            }
            2 if self.rng.one_in(3) => {
                if let Some(id) = self.any_transceiver(host) {
                    self.say(host, &format!("{id:?} stop"));
                    self.world[host].connection.stop_transceiver(id).unwrap();
                }
            }
            3 if self.rng.one_in(2) => {
                self.say(host, "restart");
                self.world[host].connection.restart_ice().unwrap();
            }
            4..=6 => self.offer(host),
            7 => self.offer_and_take_back(host),
            8..=16 => self.deliver(host),
            17..=19 => self.write(host),
            _ => {
                let ms = self.rng.below(400);
                self.world.run_for(Duration::from_millis(ms));
            }
        }
    }

    fn add(&mut self, host: Host) {
        if self.world[host].connection.transceivers().count() >= TRANSCEIVERS_MAX {
            return;
        }
        let (kind, direction) = (self.kind(), self.direction());
        let connection = &mut self.world[host].connection;
        let id = match self.rng.one_in(2) {
            true => connection.add_track(kind).unwrap(),
            false => connection.add_transceiver(kind, direction).unwrap(),
        };
        self.say(host, &format!("{id:?} add {kind:?}"));
    }

    fn offer(&mut self, host: Host) {
        let replaces = self.state(host) == SignalingState::HaveLocalOffer
            && matches!(self.to[at(other(host))].back(), Some(Signal::Description(offer)) if offer.kind == SdpType::Offer);
        if self.state(host) != SignalingState::Stable && !replaces {
            return;
        }
        if replaces {
            self.to[at(other(host))].pop_back();
        }
        self.say(host, "offer");
        let connection = &mut self.world[host].connection;
        let offer = connection.create_offer().unwrap();
        connection.set_local_description(offer).unwrap();
        let offer = connection.local_description().unwrap();
        self.send(host, offer);
    }

    /// Its candidates are in it, or come after it.
    fn send(&mut self, host: Host, description: SessionDescription) {
        let to = &mut self.to[at(other(host))];
        if self.rng.one_in(2) {
            to.push_back(Signal::Description(description));
            return;
        }
        let is_candidate = |line: &str| line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates");
        let kept = description.sdp.split_inclusive('\n').filter(|line| !is_candidate(line)).collect();
        to.push_back(Signal::Description(SessionDescription { sdp: kept, ..description }));
        let all = description.sdp.lines().filter_map(|line| line.strip_prefix("a=").filter(|_| is_candidate(line)));
        for candidate in all {
            let candidate = if candidate.starts_with("end") { String::new() } else { candidate.to_owned() };
            let ufrag = description.sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
            let username_fragment = ufrag.map(str::to_owned);
            to.push_back(Signal::Candidate(IceCandidate { candidate, username_fragment, ..IceCandidate::default() }));
        }
    }

    fn offer_and_take_back(&mut self, host: Host) {
        if self.state(host) != SignalingState::Stable {
            return;
        }
        self.say(host, "offer and take back");
        let connection = &mut self.world[host].connection;
        let offer = connection.create_offer().unwrap();
        connection.set_local_description(offer).unwrap();
        let ms = self.rng.below(100);
        self.world.run_for(Duration::from_millis(ms));
        self.world[host].connection.set_local_description(SessionDescription::rollback()).unwrap();
    }

    /// W3C's perfect negotiation; Z is polite.
    fn deliver(&mut self, host: Host) {
        match self.to[at(host)].pop_front() {
            Some(Signal::Description(offer)) if offer.kind == SdpType::Offer => {
                if host == A && self.state(host) != SignalingState::Stable {
                    self.say(host, "ignores");
                    return;
                }
                self.mutilate(host, &offer);
                self.say(host, "takes the offer");
                self.world[host].connection.set_remote_description(offer).unwrap();
                self.answer(host);
            }
            Some(Signal::Description(answer)) => {
                if matches!(self.state(host), SignalingState::HaveLocalOffer | SignalingState::HaveRemotePranswer) {
                    self.say(host, &format!("takes the {}", answer.kind));
                    self.world[host].connection.set_remote_description(answer).unwrap();
                }
            }
            Some(Signal::Candidate(candidate)) => {
                // Whoever ignores an offer ignores the errors of its candidates, too.
                let _ = self.world[host].connection.add_ice_candidate(Some(&candidate));
            }
            Some(Signal::Refused) if self.state(host) == SignalingState::HaveLocalOffer => {
                self.say(host, "is refused");
                self.world[host].connection.set_local_description(SessionDescription::rollback()).unwrap();
            }
            Some(Signal::Refused) | None => {}
        }
    }

    /// Some offers come without one of their sections first, and are not taken.
    fn mutilate(&mut self, host: Host, offer: &SessionDescription) {
        if !self.rng.one_in(3) {
            return;
        }
        let count = offer.sdp.matches("m=").count();
        let ended = usize::try_from(self.rng.below(count as u64)).unwrap();
        let mut section = 0;
        let mut sdp = String::new();
        for line in offer.sdp.split_inclusive('\n') {
            let fields: Vec<_> = line.split(' ').collect();
            match line.starts_with("m=") {
                true if section == ended => sdp.push_str(&[&[fields[0], "0"], &fields[2..]].concat().join(" ")),
                _ => sdp.push_str(line),
            }
            section += usize::from(line.starts_with("m="));
        }
        self.say(host, &format!("refuses one without section {ended}"));
        let connection = &mut self.world[host].connection;
        if connection.set_remote_description(SessionDescription::offer(sdp)).is_ok() {
            self.write(host);
            self.world.run_for(Duration::from_millis(30));
            self.world[host].connection.set_remote_description(SessionDescription::rollback()).unwrap();
        }
    }

    fn answer(&mut self, host: Host) {
        for _ in 0..self.rng.below(3) {
            match self.rng.below(4) {
                0 => self.add(host),
                1 => self.write(host),
                2 if self.rng.one_in(3) => {
                    if let Some(id) = self.any_transceiver(host) {
                        let direction = self.direction();
                        self.say(host, &format!("{id:?} {direction}"));
                        self.world[host].connection.set_direction(id, direction).unwrap();
                    }
                }
                _ => self.world.run_for(Duration::from_millis(30)),
            }
        }
        if self.rng.one_in(4) {
            self.say(host, "refuses");
            self.world[host].connection.set_remote_description(SessionDescription::rollback()).unwrap();
            self.to[at(other(host))].push_back(Signal::Refused);
            return;
        }
        let kinds = [SdpType::Pranswer, SdpType::Answer];
        for kind in &kinds[usize::from(!self.rng.one_in(4))..] {
            self.say(host, &format!("{kind}"));
            let connection = &mut self.world[host].connection;
            let answer = connection.create_answer().unwrap();
            connection.set_local_description(SessionDescription { kind: *kind, ..answer }).unwrap();
            let answer = connection.local_description().unwrap();
            assert_eq!(answer.kind, *kind);
            self.send(host, answer);
            let ms = self.rng.below(50);
            self.world.run_for(Duration::from_millis(ms));
        }
    }

    fn write(&mut self, host: Host) {
        for (id, payload_type, _) in self.sending(host) {
            let packet = RtpPacket::new(payload_type, 7, b"some".repeat(9).into());
            let _ = self.world[host].connection.write_packet(id, packet);
        }
    }

    /// The transceivers on which something can be sent, the first payload type and the source of each.
    fn sending(&self, host: Host) -> Vec<(TransceiverId, u8, u32)> {
        let all = self.world[host].connection.transceivers();
        all.filter(|found| !found.is_stopping && found.current_direction.is_some_and(Direction::sends))
            .filter_map(|found| {
                let codec = found.negotiated.as_ref()?.send_codecs.first()?;
                Some((found.id, codec.payload_type, found.send.as_ref()?.ssrc))
            })
            .collect()
    }

    /// Nothing is on its way any more, and both have what they wanted.
    fn settle(&mut self) {
        for host in BOTH {
            while !self.to[0].is_empty() || !self.to[1].is_empty() {
                self.deliver(A);
                self.deliver(Z);
            }
            if self.state(host) == SignalingState::HaveLocalOffer {
                self.world[host].connection.set_local_description(SessionDescription::rollback()).unwrap();
            }
        }
        let mut told = [0; 2];
        for host in [A, Z, A] {
            told = BOTH.map(|host| self.world[host].events.len());
            let connection = &mut self.world[host].connection;
            let offer = connection.create_offer().unwrap();
            connection.set_local_description(offer).unwrap();
            let offer = connection.local_description().unwrap();
            let answerer = &mut self.world[other(host)].connection;
            answerer.set_remote_description(offer).unwrap();
            let answer = answerer.create_answer().unwrap();
            answerer.set_local_description(answer).unwrap();
            let answer = answerer.local_description().unwrap();
            self.world[host].connection.set_remote_description(answer).unwrap();
            self.world.run_for(Duration::from_millis(200));
        }
        self.world.run_for(Duration::from_secs(5));
        for (host, told) in BOTH.into_iter().zip(told) {
            let events = &self.world[host].events[told..];
            assert!(!events.iter().any(|event| event == "NegotiationNeeded"), "{host:?} {events:?}");
        }
    }

    fn check(&mut self) {
        let mids = |script: &Self, host: Host| -> Vec<_> {
            let all = script.world[host].connection.transceivers();
            let mut all: Vec<_> = all
                .map(|found| {
                    let way = found.current_direction.expect("agreed");
                    (found.mid.clone().expect("a section"), if host == A { way } else { way.reversed() })
                })
                .collect();
            all.sort();
            all
        };
        assert_eq!(mids(self, A), mids(self, Z));
        for host in BOTH {
            for (id, payload_type, ssrc) in self.sending(host) {
                let count =
                    |script: &Self| script.world[other(host)].packets.iter().filter(|found| found.ssrc == ssrc).count();
                let before = count(self);
                for n in 0..10 {
                    let packet = RtpPacket::new(payload_type, n, b"sound".repeat(9).into());
                    self.world[host].connection.write_packet(id, packet).unwrap();
                    self.world.run_for(Duration::from_millis(10));
                }
                self.world.run_for(Duration::from_millis(500));
                assert_eq!(count(self) - before, 10, "{host:?} {id:?}");
            }
            let drops = self.world[host].connection.drops();
            let refused: Vec<_> =
                drops.iter().filter(|(name, count)| name.starts_with("srtp.refused") && *count > 0).collect();
            assert!(refused.is_empty(), "{refused:?}");
            assert_eq!(self.state(host), SignalingState::Stable);
        }
        let before = self.world[Z].messages.len();
        let channel = self.world[A].channels["chat"];
        self.world[A].connection.send(channel, "hello".into(), false).unwrap();
        self.world.run_for(Duration::from_secs(1));
        assert_eq!(self.world[Z].messages.len(), before + 1);
    }
}

impl Drop for Script {
    #[expect(clippy::print_stdout, reason = "what was done is told by the test that failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.said.join("\n"));
        }
    }
}

#[test]
fn whatever_they_do_in_whatever_order_they_agree_and_all_works() {
    for seed in seeds(40) {
        let mut script = Script::new(seed);
        script.said.push(format!("seed {seed}"));
        for host in BOTH {
            let init = DataChannelInit::default().negotiated(0);
            script.world[host].connection.create_data_channel("chat", init).unwrap();
        }
        for _ in 0..200 {
            script.step();
        }
        script.settle();
        script.check();
    }
}

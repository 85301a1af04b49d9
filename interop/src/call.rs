//! A browser and wigwag, and the signalling between them.

use crate::browser::Browser;
use crate::namespace;
use crate::peer::{PATIENCE, Peer};
use crate::relay::Relay;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use wigwag::{
    Config, ConnectionState, DataChannelInit, Direction, IceCandidate, MediaKind, PeerConnection, SessionDescription,
};

/// Who makes the offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    BrowserOffers,
    WigwagOffers,
}

impl Role {
    pub(crate) const BOTH: [Self; 2] = [Self::BrowserOffers, Self::WigwagOffers];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::BrowserOffers => "answerer",
            Self::WigwagOffers => "offerer",
        }
    }
}

/// What a call carries besides its signalling.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Media {
    pub(crate) audio: bool,
    pub(crate) video: bool,
}

pub(crate) struct Call<'a> {
    pub(crate) browser: &'a mut dyn Browser,
    pub(crate) peer: Peer,
    pub(crate) role: Role,
    /// What stands for `actpass` in the offer that the answerer gets: whoever answers it has no choice.
    pub(crate) setup: &'static str,
    /// Whether wigwag takes what the browser's offer brings as frames.
    pub(crate) receives_frames: bool,
}

impl<'a> Call<'a> {
    /// Both sides exist; nothing is negotiated. The page is a fresh one.
    pub(crate) fn new(
        browser: &'a mut dyn Browser,
        page: &str,
        role: Role,
        adapt: impl FnOnce(&mut Config),
    ) -> Result<Self> {
        let address: IpAddr = if namespace::is_inside() { namespace::ADDRESS } else { "127.0.0.1" }.parse()?;
        Self::at(address, browser, page, role, adapt)
    }

    /// ... with wigwag at this address.
    pub(crate) fn at(
        address: IpAddr,
        browser: &'a mut dyn Browser,
        page: &str,
        role: Role,
        adapt: impl FnOnce(&mut Config),
    ) -> Result<Self> {
        Self::with(Peer::start(address, adapt)?, browser, page, role)
    }

    /// ... with wigwag as it was started.
    pub(crate) fn with(peer: Peer, browser: &'a mut dyn Browser, page: &str, role: Role) -> Result<Self> {
        browser.navigate(page)?;
        browser.evaluate("peer.make()")?;
        Ok(Self { peer, browser, role, setup: "actpass", receives_frames: false })
    }

    /// Adds a channel on the side that offers, so that its description asks for channels.
    pub(crate) fn open_by_offerer(&mut self, label: &str) -> Result<()> {
        match self.role {
            Role::BrowserOffers => self.open_in_browser(label, &json!({})),
            Role::WigwagOffers => self.open_in_wigwag(label, DataChannelInit::default()),
        }
    }

    pub(crate) fn open_in_browser(&mut self, label: &str, init: &Value) -> Result<()> {
        self.browser.evaluate(&format!("peer.open({}, {init})", json!(label)))?;
        Ok(())
    }

    pub(crate) fn open_in_wigwag(&mut self, label: &str, init: DataChannelInit) -> Result<()> {
        let label = label.to_owned();
        self.peer.run(move |connection| connection.create_data_channel(&label, init))??;
        Ok(())
    }

    /// The browser sends fake media, wigwag sends it back.
    pub(crate) fn add_media(&mut self, media: Media) -> Result<()> {
        // Not null: to a browser that is an object with no wishes, and brings a camera.
        let video = if media.video { json!({"width": 640, "height": 480}) } else { json!(false) };
        let constraints = json!({"audio": media.audio, "video": video});
        self.browser.evaluate(&format!("peer.addMedia({constraints})"))?;
        if self.role == Role::WigwagOffers {
            let kinds = [(media.audio, MediaKind::Audio), (media.video, MediaKind::Video)];
            for (_, kind) in kinds.into_iter().filter(|(is_wanted, _)| *is_wanted) {
                self.peer.run(move |connection| connection.add_transceiver(kind, Direction::Sendrecv))??;
            }
        }
        Ok(())
    }

    /// Whatever comes on the transceivers that there are is taken as frames.
    pub(crate) fn receive_frames(&self) -> Result<()> {
        self.peer.run(receive_frames)?
    }

    /// Exchanges offer and answer with all candidates in them, and waits until both sides are connected.
    pub(crate) fn connect(&mut self) -> Result<()> {
        self.negotiate()?;
        self.carry_late_candidates()?;
        self.browser.evaluate("peer.until(() => peer.pc.connectionState === 'connected', 'connected')")?;
        Ok(())
    }

    /// The same with a relay between: the browser is told where that is instead of wigwag, and wigwag only learns that it is heard.
    pub(crate) fn connect_through_relay(&mut self) -> Result<Relay> {
        let relay = match self.role {
            Role::BrowserOffers => {
                let offer = text(&self.browser.evaluate("peer.offer()")?)?;
                let (answer, relay) = through_relay(&self.answer(without_candidates(&offer))?)?;
                self.browser.evaluate(&format!("peer.accept({})", json!(answer)))?;
                relay
            }
            Role::WigwagOffers => {
                let (offer, relay) = through_relay(&self.offer()?)?;
                let answer = self.browser.evaluate(&format!("peer.answer({})", json!(offer)))?;
                self.accept(without_candidates(&text(&answer)?))?;
                relay
            }
        };
        self.peer.wait_state(ConnectionState::Connected, PATIENCE)?;
        self.browser.evaluate("peer.until(() => peer.pc.connectionState === 'connected', 'connected')")?;
        Ok(relay)
    }

    /// A browser may say that it has gathered everything, and find another address later: it tells it like any other.
    fn carry_late_candidates(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let connected = self.peer.wait_state(ConnectionState::Connected, Duration::from_millis(100));
            if connected.is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let what = self.peer.run(|connection| {
                    let drops: Vec<_> = connection.drops().into_iter().filter(|(_, count)| *count > 0).collect();
                    let remote = connection.remote_description().map(|remote| remote.sdp).unwrap_or_default();
                    format!("{connection:?} {drops:?}\n{remote}")
                });
                return connected.with_context(|| what.unwrap_or_default());
            }
            self.carry_candidates()?;
        }
    }

    /// Gives wigwag the candidates that the browser has told since.
    fn carry_candidates(&mut self) -> Result<()> {
        let theirs = self.browser.evaluate("peer.takeCandidates()")?;
        for candidate in theirs.as_array().context("no list of candidates")? {
            let candidate = candidate_of(candidate);
            self.peer.run(move |connection| connection.add_ice_candidate(candidate.as_ref()))??;
        }
        Ok(())
    }

    pub(crate) fn negotiate(&mut self) -> Result<()> {
        match self.role {
            Role::BrowserOffers => {
                let offer = self.browser.evaluate("peer.offer()")?;
                let answer = self.answer(self.with_setup(&text(&offer)?))?;
                self.browser.evaluate(&format!("peer.accept({})", json!(answer)))?;
            }
            Role::WigwagOffers => {
                let offer = self.with_setup(&self.offer()?);
                let answer = self.browser.evaluate(&format!("peer.answer({})", json!(offer)))?;
                self.accept(text(&answer)?)?;
            }
        }
        Ok(())
    }

    fn with_setup(&self, offer: &str) -> String {
        offer.replace("a=setup:actpass", &format!("a=setup:{}", self.setup))
    }

    pub(crate) fn offer(&self) -> Result<String> {
        self.peer.run(|connection| {
            let offer = connection.create_offer()?;
            connection.set_local_description(offer)?;
            Ok(connection.local_description().map(|description| description.sdp).unwrap_or_default())
        })?
    }

    pub(crate) fn answer(&self, offer: String) -> Result<String> {
        let receives_frames = self.receives_frames;
        self.peer.run(move |connection| {
            connection.set_remote_description(SessionDescription::offer(offer))?;
            if receives_frames {
                receive_frames(connection)?;
            }
            let kinds: Vec<_> = connection.transceivers().map(|transceiver| transceiver.kind).collect();
            for kind in kinds {
                connection.add_track(kind)?;
            }
            let answer = connection.create_answer()?;
            connection.set_local_description(answer)?;
            Ok(connection.local_description().map(|description| description.sdp).unwrap_or_default())
        })?
    }

    pub(crate) fn accept(&self, answer: String) -> Result<()> {
        self.peer.run(|connection| connection.set_remote_description(SessionDescription::answer(answer)))??;
        Ok(())
    }

    /// Sends every candidate by itself, after descriptions without any.
    pub(crate) fn connect_trickling(&mut self) -> Result<()> {
        match self.role {
            Role::BrowserOffers => {
                let offer = self.browser.evaluate("peer.offer(false)")?;
                let answer = without_candidates(&self.answer(without_candidates(&text(&offer)?))?);
                self.browser.evaluate(&format!("peer.accept({})", json!(answer)))?;
            }
            Role::WigwagOffers => {
                let offer = without_candidates(&self.offer()?);
                let answer = self.browser.evaluate(&format!("peer.answer({}, false)", json!(offer)))?;
                self.accept(without_candidates(&text(&answer)?))?;
            }
        }
        self.browser.evaluate("peer.gathered()")?;
        self.carry_candidates()?;
        self.peer
            .wait("its last candidate", PATIENCE, |seen| seen.candidates.iter().any(Option::is_none).then_some(()))?;
        self.tell_candidates()?;
        self.carry_late_candidates()
    }

    /// Gives the browser the candidates that wigwag has told since; waits for one.
    pub(crate) fn tell_candidates(&mut self) -> Result<()> {
        let ours = self.peer.wait("a candidate", PATIENCE, |seen| {
            (!seen.candidates.is_empty()).then(|| std::mem::take(&mut seen.candidates))
        })?;
        for candidate in ours {
            let json = candidate.map(|candidate| {
                json!({"candidate": candidate.candidate, "sdpMid": candidate.sdp_mid, "sdpMLineIndex": candidate.sdp_m_line_index,
                    "usernameFragment": candidate.username_fragment})
            });
            self.browser.evaluate(&format!("peer.addCandidate({})", json!(json)))?;
        }
        Ok(())
    }

    /// Number from a report of the browser's getStats.
    pub(crate) fn stats(&mut self) -> Result<Value> {
        self.browser.evaluate("peer.stats()")
    }
}

fn receive_frames(connection: &mut PeerConnection) -> Result<()> {
    let ids: Vec<_> = connection.transceivers().map(|transceiver| transceiver.id).collect();
    Ok(ids.into_iter().try_for_each(|id| connection.receive_frames(id))?)
}

pub(crate) fn candidate_of(json: &Value) -> Option<IceCandidate> {
    let mut candidate = IceCandidate::new(json.get("candidate")?.as_str()?);
    candidate.sdp_mid = json["sdpMid"].as_str().map(str::to_owned);
    candidate.sdp_m_line_index = json["sdpMLineIndex"].as_u64().and_then(|index| u16::try_from(index).ok());
    candidate.username_fragment = json["usernameFragment"].as_str().map(str::to_owned);
    Some(candidate)
}

pub(crate) fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("the browser returned no text")?.to_owned())
}

/// A description whose one candidate leads to a relay, which leads there; nothing is lost yet.
fn through_relay(sdp: &str) -> Result<(String, Relay)> {
    let candidate = sdp.lines().find(|line| line.starts_with("a=candidate:")).context("no candidate")?;
    let words: Vec<_> = candidate.split(' ').collect();
    let (Some(address), Some(port)) = (words.get(4), words.get(5)) else { bail!("no candidate: {candidate}") };
    let relay = Relay::start(SocketAddr::new(address.parse()?, port.parse()?), 0, 1)?;
    let replaced = candidate.replacen(&format!(" {port} "), &format!(" {} ", relay.address.port()), 1);
    Ok((sdp.replace(candidate, &replaced), relay))
}

pub(crate) fn without_candidates(sdp: &str) -> String {
    let is_kept = |line: &&str| !line.starts_with("a=candidate:") && !line.starts_with("a=end-of-candidates");
    sdp.split_inclusive('\n').filter(is_kept).collect()
}

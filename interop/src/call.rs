//! A browser and wigwag, and the signalling between them.

use crate::browser::Browser;
use crate::namespace;
use crate::peer::{PATIENCE, Peer};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::net::IpAddr;
use wigwag::{Config, ConnectionState, DataChannelInit, Direction, IceCandidate, MediaKind, SessionDescription};

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
}

impl<'a> Call<'a> {
    /// Both sides exist; nothing is negotiated. The page is a fresh one.
    pub(crate) fn new(browser: &'a mut dyn Browser, page: &str, role: Role, adapt: impl FnOnce(&mut Config)) -> Result<Self> {
        let address: IpAddr = if namespace::is_inside() { namespace::ADDRESS } else { "127.0.0.1" }.parse()?;
        browser.navigate(page)?;
        browser.evaluate("peer.make()")?;
        Ok(Self { peer: Peer::start(address, adapt)?, browser, role })
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
        let constraints = json!({"audio": media.audio, "video": media.video.then(|| json!({"width": 640, "height": 480}))});
        self.browser.evaluate(&format!("peer.addMedia({constraints})"))?;
        if self.role == Role::WigwagOffers {
            let kinds = [(media.audio, MediaKind::Audio), (media.video, MediaKind::Video)];
            for (_, kind) in kinds.into_iter().filter(|(is_wanted, _)| *is_wanted) {
                self.peer.run(move |connection| connection.add_transceiver(kind, Direction::SendRecv))??;
            }
        }
        Ok(())
    }

    /// Exchanges offer and answer with all candidates in them, and waits until both sides are connected.
    pub(crate) fn connect(&mut self) -> Result<()> {
        self.negotiate()?;
        self.peer.wait_state(ConnectionState::Connected, PATIENCE)?;
        self.browser.evaluate("peer.until(() => peer.pc.connectionState === 'connected', 'connected')")?;
        Ok(())
    }

    pub(crate) fn negotiate(&mut self) -> Result<()> {
        match self.role {
            Role::BrowserOffers => {
                let offer = self.browser.evaluate("peer.offer()")?;
                let answer = self.answer(text(&offer)?)?;
                self.browser.evaluate(&format!("peer.accept({})", json!(answer)))?;
            }
            Role::WigwagOffers => {
                let offer = self.offer()?;
                let answer = self.browser.evaluate(&format!("peer.answer({})", json!(offer)))?;
                self.accept(text(&answer)?)?;
            }
        }
        Ok(())
    }

    pub(crate) fn offer(&self) -> Result<String> {
        self.peer.run(|connection| {
            let offer = connection.create_offer()?;
            connection.set_local_description(offer)?;
            Ok(connection.local_description().map(|description| description.sdp).unwrap_or_default())
        })?
    }

    pub(crate) fn answer(&self, offer: String) -> Result<String> {
        self.peer.run(|connection| {
            connection.set_remote_description(SessionDescription::offer(offer))?;
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
        let theirs = self.browser.evaluate("peer.takeCandidates()")?;
        for candidate in theirs.as_array().context("no list of candidates")? {
            let candidate = candidate_of(candidate);
            self.peer.run(move |connection| connection.add_ice_candidate(candidate.as_ref()))??;
        }
        let ours = self.peer.wait("its last candidate", PATIENCE, |seen| {
            seen.candidates.iter().any(Option::is_none).then(|| std::mem::take(&mut seen.candidates))
        })?;
        for candidate in ours {
            let json = candidate.map(|candidate| {
                json!({"candidate": candidate.candidate, "sdpMid": candidate.sdp_mid, "sdpMLineIndex": candidate.sdp_m_line_index,
                    "usernameFragment": candidate.username_fragment})
            });
            self.browser.evaluate(&format!("peer.addCandidate({})", json!(json)))?;
        }
        self.peer.wait_state(ConnectionState::Connected, PATIENCE)
    }

    /// Number from a report of the browser's getStats.
    pub(crate) fn stats(&mut self) -> Result<Value> {
        self.browser.evaluate("peer.stats()")
    }
}

fn candidate_of(json: &Value) -> Option<IceCandidate> {
    let mut candidate = IceCandidate::new(json.get("candidate")?.as_str()?);
    candidate.sdp_mid = json["sdpMid"].as_str().map(str::to_owned);
    candidate.sdp_m_line_index = json["sdpMLineIndex"].as_u64().and_then(|index| u16::try_from(index).ok());
    candidate.username_fragment = json["usernameFragment"].as_str().map(str::to_owned);
    Some(candidate)
}

pub(crate) fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().context("the browser returned no text")?.to_owned())
}

pub(crate) fn without_candidates(sdp: &str) -> String {
    let is_kept = |line: &&str| !line.starts_with("a=candidate:") && !line.starts_with("a=end-of-candidates");
    sdp.split_inclusive('\n').filter(is_kept).collect()
}

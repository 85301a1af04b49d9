//! Somebody else's stack and wigwag, and the signalling between them.

use super::process::Driver;
use super::{Fault, Stage, stun};
use crate::call::{Role, candidate_of, text, without_candidates};
use crate::namespace;
use crate::peer::{PATIENCE, Peer};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::net::IpAddr;
use wigwag::{Config, ConnectionState, DataChannelInit, Direction, MediaKind, SessionDescription};

pub(crate) struct Call {
    pub(crate) driver: Driver,
    pub(crate) peer: Peer,
    pub(crate) role: Role,
    /// What stands for `actpass` in the offer that the answerer gets: whoever answers it has no choice.
    pub(crate) setup: &'static str,
    /// Whether wigwag is told where the peer is only when the peer knows wigwag.
    is_told_late: bool,
}

impl Call {
    /// Both sides exist, each with a channel or media of these kinds on the side that offers; nothing is negotiated.
    pub(crate) fn new(stage: &Stage, media: &[MediaKind], adapt: impl FnOnce(&mut Config)) -> Result<Self> {
        let address: IpAddr = namespace::ADDRESS.parse()?;
        Self::with(stage, Peer::start(address, adapt)?, media)
    }

    /// ... with a wigwag that has its own ways to be reached.
    pub(crate) fn with(stage: &Stage, peer: Peer, media: &[MediaKind]) -> Result<Self> {
        let mut call = Self {
            driver: stage.stack.start()?,
            peer,
            role: stage.role,
            setup: "actpass",
            is_told_late: stage.stack.has(Fault::RacesItsAnswer),
        };
        let kinds: Vec<_> = media.iter().copied().map(name_of).collect();
        let they_offer = call.role == Role::BrowserOffers;
        let stun = stun::server()?.to_string();
        call.driver.ask("make", json!({"media": kinds, "offers": they_offer, "stun": stun}))?;
        if they_offer {
            call.open_theirs("first", json!({}))?;
        } else {
            for kind in media.iter().copied() {
                call.peer.run(move |connection| connection.add_transceiver(kind, Direction::Sendrecv))??;
            }
            call.open_ours("first", DataChannelInit::default())?;
        }
        Ok(call)
    }

    /// As [`Self::new`] makes it with a channel alone, and connected.
    pub(crate) fn connected(stage: &Stage) -> Result<Self> {
        let mut call = Self::new(stage, &[], |_| {})?;
        call.connect()?;
        Ok(call)
    }

    pub(crate) fn open_theirs(&mut self, label: &str, init: Value) -> Result<()> {
        self.driver.ask("open", json!({"label": label, "init": init}))?;
        Ok(())
    }

    pub(crate) fn open_ours(&mut self, label: &str, init: DataChannelInit) -> Result<()> {
        let label = label.to_owned();
        self.peer.run(move |connection| connection.create_data_channel(&label, init))??;
        Ok(())
    }

    /// Exchanges offer and answer with all candidates in them, and waits until both sides are connected.
    pub(crate) fn connect(&mut self) -> Result<()> {
        match self.role {
            Role::BrowserOffers => {
                let offer = self.driver.ask("offer", json!({}))?;
                let offer = self.with_setup(&text(&offer)?);
                let answer = self.answer(if self.is_told_late { without_candidates(&offer) } else { offer })?;
                self.driver.ask("accept", json!({"sdp": answer}))?;
                if self.is_told_late {
                    self.carry_candidates()?;
                }
            }
            Role::WigwagOffers => {
                let offer = self.with_setup(&self.offer()?);
                let answer = self.driver.ask("answer", json!({"sdp": offer}))?;
                self.accept(text(&answer)?)?;
            }
        }
        self.wait_connected()
    }

    /// Sends every candidate by itself, after descriptions without any.
    pub(crate) fn connect_trickling(&mut self) -> Result<()> {
        match self.role {
            Role::BrowserOffers => {
                let offer = self.driver.ask("offer", json!({"waits": false}))?;
                let answer = without_candidates(&self.answer(without_candidates(&text(&offer)?))?);
                self.driver.ask("accept", json!({"sdp": answer}))?;
            }
            Role::WigwagOffers => {
                let offer = without_candidates(&self.offer()?);
                let answer = self.driver.ask("answer", json!({"sdp": offer, "waits": false}))?;
                self.accept(without_candidates(&text(&answer)?))?;
            }
        }
        self.driver.ask("gathered", json!({}))?;
        self.carry_candidates()?;
        let ours = self.peer.wait("its last candidate", PATIENCE, |seen| {
            seen.candidates.iter().any(Option::is_none).then(|| std::mem::take(&mut seen.candidates))
        })?;
        for candidate in ours.into_iter().flatten() {
            let candidate = json!({"candidate": candidate.candidate, "sdpMid": candidate.sdp_mid,
                "sdpMLineIndex": candidate.sdp_m_line_index, "usernameFragment": candidate.username_fragment});
            self.driver.ask("addCandidate", json!({"candidate": candidate}))?;
        }
        self.wait_connected()
    }

    /// Gives wigwag the candidates that the peer has found.
    fn carry_candidates(&mut self) -> Result<()> {
        let theirs = self.driver.ask("takeCandidates", json!({}))?;
        for candidate in theirs.as_array().context("no list of candidates")? {
            let candidate = candidate_of(candidate);
            self.peer.run(move |connection| connection.add_ice_candidate(candidate.as_ref()))??;
        }
        Ok(())
    }

    fn wait_connected(&mut self) -> Result<()> {
        let connected = self.peer.wait_state(ConnectionState::Connected, PATIENCE);
        if connected.is_err() {
            let what = self.peer.run(|connection| {
                let drops: Vec<_> = connection.drops().into_iter().filter(|(_, count)| *count > 0).collect();
                let remote = connection.remote_description().map(|remote| remote.sdp).unwrap_or_default();
                format!("{connection:?} {drops:?}\n{remote}")
            });
            return connected.with_context(|| what.unwrap_or_default());
        }
        self.driver.ask("connected", json!({}))?;
        Ok(())
    }

    fn with_setup(&self, offer: &str) -> String {
        offer.replace("a=setup:actpass", &format!("a=setup:{}", self.setup))
    }

    fn offer(&self) -> Result<String> {
        self.peer.run(|connection| {
            let offer = connection.create_offer()?;
            connection.set_local_description(offer)?;
            Ok(connection.local_description().map(|description| description.sdp).unwrap_or_default())
        })?
    }

    fn answer(&self, offer: String) -> Result<String> {
        self.peer.run(|connection| {
            connection.set_remote_description(SessionDescription::offer(offer))?;
            let kinds: Vec<_> = connection.transceivers().map(|transceiver| transceiver.kind).collect();
            for kind in kinds {
                connection.add_track(kind)?;
            }
            let answer = connection.create_answer()?;
            connection.set_local_description(answer)?;
            Ok(connection.local_description().map(|description| description.sdp).unwrap_or_default())
        })?
    }

    fn accept(&self, answer: String) -> Result<()> {
        self.peer.run(|connection| connection.set_remote_description(SessionDescription::answer(answer)))??;
        Ok(())
    }

    /// wigwag's channel with this label, open at both ends.
    pub(crate) fn ours(&mut self, label: &str, init: DataChannelInit) -> Result<wigwag::ChannelId> {
        self.open_ours(label, init)?;
        let channel = self.peer.wait_open(label)?;
        self.driver.ask("opened", json!({"label": label}))?;
        Ok(channel)
    }

    /// The driver's channel with this label, open at both ends: what its library says of it, and wigwag's name for it.
    pub(crate) fn theirs(&mut self, label: &str, init: Value) -> Result<(Value, wigwag::ChannelId)> {
        self.open_theirs(label, init)?;
        let seen = self.driver.ask("opened", json!({"label": label}))?;
        Ok((seen, self.peer.wait_open(label)?))
    }

    /// What the driver sends comes back from wigwag.
    pub(crate) fn round_trip(&mut self, label: &str, length: usize, is_text: bool, seed: usize) -> Result<()> {
        let request = json!({"label": label, "length": length, "text": is_text, "seed": seed});
        let echo = self.driver.ask("roundTrip", request)?;
        let kind = if is_text { "string" } else { "binary" };
        anyhow::ensure!(echo["kind"] == kind, "{length} bytes came back as {echo}, not as {kind}");
        Ok(())
    }
}

/// A kind of media as the drivers, and descriptions, call it.
pub(crate) fn name_of(kind: MediaKind) -> &'static str {
    if kind == MediaKind::Audio { "audio" } else { "video" }
}

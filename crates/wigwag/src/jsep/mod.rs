//! Offers and answers (RFC 9429): a machine of its own, without time, events and packets.
//!
//! [`Jsep`] knows the signalling states, the order of sections, transceivers as facts of negotiation, and what both sides
//! agreed upon. There is one transport: everything is bundled (RFC 9143), RTCP with it (RFC 5761). Whoever owns the real
//! transport gives its [`LocalTransport`] when a description is made, and reads [`RemoteTransport`], [`DtlsRole`],
//! [`DataParameters`] and [`MediaParameters`] after one was set.

mod answer;
mod apply;
mod ccfb;
mod codecs;
mod config;
mod cryptex;
mod error;
mod h264;
mod keeps;
mod made;
mod needed;
mod negotiation;
mod offer;
mod restrictions;
mod section;
mod signaling;
mod simulcast;
#[cfg(test)]
mod tests;
mod transceiver;
mod transport;
mod variant;
mod view;

pub use config::{Codec, Config, DtlsRole, HeaderExtension, MediaKind};
pub use cryptex::HeaderEncryption;
pub use error::Error;
pub use restrictions::{NegotiatedLayer, Restrictions};
pub use signaling::{SdpType, SignalingState};
pub(crate) use simulcast::{LAYERS_MAX, is_own_rid};
pub use transceiver::{
    MediaParameters, NegotiatedCodec, NegotiatedExtension, SendLayer, SendStream, Transceiver, TransceiverId,
    TransceiverInit,
};
pub use transport::{DataParameters, LocalTransport, RemoteTransport};
pub use wigwag_sdp::{Direction, Feedback, Setup};

use made::Made;
use negotiation::{Negotiation, Part};
use offer::Plan;
use signaling::Side;
use std::collections::BTreeSet;
use wigwag_sansio::{Rng, Seed};
use wigwag_sdp::{
    AddressType, Attribute, Connection, Fingerprint, Group, IceOptions, MediaDescription, Origin, SessionDescription,
};

/// A description that was set, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What it is.
    pub kind: SdpType,
    /// What it says.
    pub sdp: SessionDescription,
}

/// The descriptions that are set (W3C WebRTC §4.4.1).
#[derive(Debug, Default)]
struct Descriptions {
    current_local: Option<Box<Description>>,
    pending_local: Option<Box<Description>>,
    current_remote: Option<Box<Description>>,
    pending_remote: Option<Box<Description>>,
    /// Once there was an answer to it.
    first_offer_was_ours: Option<bool>,
}

/// The offers and answers of a connection.
#[derive(Debug)]
pub struct Jsep {
    config: Config,
    session_id: u64,
    /// How many descriptions of ours were set: RFC 9429 §5.2.2 counts them in `o=`.
    version: u64,
    signaling: SignalingState,
    wants_data: bool,
    /// The names of ours that a restart is to replace (W3C `[[LocalIceCredentialsToReplace]]`); at most two.
    to_replace: BTreeSet<String>,
    now: Negotiation,
    /// What to go back to, while an offer is not answered.
    stable: Option<Negotiation>,
    descriptions: Descriptions,
    made: Option<Made>,
    /// The fingerprints that the DTLS connection was made for, once there is one.
    pinned: Option<Vec<Fingerprint>>,
}

impl Jsep {
    /// Nothing is wanted or agreed upon yet. The seed makes the session's number.
    #[must_use]
    pub fn new(config: Config, seed: Seed) -> Self {
        Self {
            config,
            // RFC 9429 §5.2.1: "generating a 64-bit quantity with the highest bit set to zero and the remaining 63 bits
            // being cryptographically random."
            session_id: Rng::new(seed).u64() >> 1,
            version: 0,
            signaling: SignalingState::Stable,
            wants_data: false,
            to_replace: BTreeSet::new(),
            now: Negotiation::default(),
            stable: None,
            descriptions: Descriptions::default(),
            made: None,
            pinned: None,
        }
    }

    /// The signalling state.
    #[must_use]
    pub const fn signaling_state(&self) -> SignalingState {
        self.signaling
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Wants a section of its own, in the next offer or in answer to the peer's.
    pub fn add_transceiver(&mut self, kind: MediaKind, init: TransceiverInit) -> TransceiverId {
        self.now.add(|id| Transceiver {
            id,
            kind,
            mid: None,
            direction: init.direction,
            current_direction: None,
            send: init.send,
            receive_layers: Vec::new(),
            is_stopping: false,
            negotiated: None,
            may_be_offered: init.may_be_offered,
            is_tentative: false,
        })
    }

    /// All transceivers that have not ended, the oldest first.
    pub fn transceivers(&self) -> impl Iterator<Item = &Transceiver> {
        self.now.transceivers.values()
    }

    /// A transceiver, until it has ended. An offer of the peer's that ends it does so when it is answered: it may be taken back.
    #[must_use]
    pub fn transceiver(&self, id: TransceiverId) -> Option<&Transceiver> {
        std::iter::once(&self.now).chain(&self.stable).find_map(|negotiation| negotiation.transceivers.get(&id))
    }

    fn transceiver_mut(&mut self, id: TransceiverId) -> Result<&mut Transceiver, Error> {
        let transceiver = self.now.transceivers.get_mut(&id).ok_or(Error::UnknownTransceiver)?;
        transceiver.is_tentative = false;
        Ok(transceiver)
    }

    /// Wants another direction; it takes effect with the next negotiation.
    ///
    /// # Errors
    /// The transceiver has ended.
    pub fn set_direction(&mut self, id: TransceiverId, direction: Direction) -> Result<(), Error> {
        self.transceiver_mut(id)?.direction = direction;
        Ok(())
    }

    /// Says what is sent; it is told to the peer with the next negotiation.
    ///
    /// # Errors
    /// The transceiver has ended.
    pub fn set_send(&mut self, id: TransceiverId, send: Option<SendStream>) -> Result<(), Error> {
        self.transceiver_mut(id)?.send = send;
        Ok(())
    }

    /// Says which layers of simulcast our offers ask for; the names are RFC 8851's, and there is no more to it than the next offer.
    ///
    /// # Errors
    /// The transceiver has ended.
    pub fn set_receive_layers(&mut self, id: TransceiverId, rids: Vec<String>) -> Result<(), Error> {
        self.transceiver_mut(id)?.receive_layers = rids;
        Ok(())
    }

    /// Ends a transceiver: at once if no section has it, else with the next negotiation.
    ///
    /// # Errors
    /// The transceiver has ended already.
    pub fn stop(&mut self, id: TransceiverId) -> Result<(), Error> {
        self.transceiver_mut(id)?.is_stopping = true;
        let places = |now: &Negotiation| now.sections.iter().any(|section| section.part == Part::Media(id));
        if !places(&self.now) && !self.stable.as_ref().is_some_and(places) {
            for negotiation in std::iter::once(&mut self.now).chain(&mut self.stable) {
                negotiation.transceivers.remove(&id);
            }
        }
        Ok(())
    }

    /// Wants a section for data channels in the next offer. In answers there is one if the peer offers it.
    pub const fn want_data_channels(&mut self) {
        self.wants_data = true;
    }

    /// There is a DTLS connection with the peer of these fingerprints: from now on no description may name others.
    pub fn pin_fingerprints(&mut self) {
        self.pinned = self.now.remote.as_ref().map(|remote| remote.fingerprints.clone());
    }

    /// The name and the password of our description that was set last.
    #[must_use]
    pub fn local_credentials(&self) -> Option<(&str, &str)> {
        let sdp = &self.local_description()?.sdp;
        let attributes = sdp.media.iter().map(|section| &section.attributes);
        attributes.filter_map(|attributes| attributes.ice_ufrag().zip(attributes.ice_pwd())).next()
    }

    /// Over: nothing can be made or set any more.
    pub fn close(&mut self) {
        self.signaling = SignalingState::Closed;
        self.made = None;
    }

    /// Makes an offer; nothing changes until it is set.
    ///
    /// # Errors
    /// Not in this state, or more sections than a description can have.
    pub fn create_offer(&mut self, local: &LocalTransport) -> Result<SessionDescription, Error> {
        if !matches!(self.signaling, SignalingState::Stable | SignalingState::HaveLocalOffer) {
            return Err(self.invalid_state("create_offer"));
        }
        let plan = offer::plan(&self.now, self.wants_data)?;
        let Descriptions { current_local, current_remote, .. } = &self.descriptions;
        let said = [current_local, current_remote].into_iter().flatten().map(|description| &description.sdp);
        let sdp = offer::build(&self.config, &self.now, said, &plan.0, local, self.head());
        self.made = Some(Made { kind: SdpType::Offer, sdp: sdp.clone(), plan });
        Ok(sdp)
    }

    /// Makes an answer to the peer's offer; nothing changes until it is set.
    ///
    /// # Errors
    /// Not in this state.
    pub fn create_answer(&mut self, local: &LocalTransport) -> Result<SessionDescription, Error> {
        let answers = matches!(self.signaling, SignalingState::HaveRemoteOffer | SignalingState::HaveLocalPranswer);
        let Some(offer) = self.descriptions.pending_remote.as_ref().filter(|_| answers) else {
            return Err(self.invalid_state("create_answer"));
        };
        let sdp = answer::build(&self.config, &self.now, &offer.sdp, local, self.head());
        self.made = Some(Made { kind: SdpType::Answer, sdp: sdp.clone(), plan: Plan::default() });
        Ok(sdp)
    }

    /// Sets the offer or answer that was made last. For a rollback, `sdp` is not read: see [`rollback`](Self::rollback).
    ///
    /// # Errors
    /// Not in this state, or not the description that was made last.
    #[expect(clippy::needless_pass_by_value, reason = "a description is handed over")]
    pub fn set_local_description(&mut self, kind: SdpType, sdp: SessionDescription) -> Result<(), Error> {
        let signaling = self.after(Side::Local, kind)?;
        if kind == SdpType::Rollback {
            return self.rollback();
        }
        let had_data = self.had_data();
        let made_as = if kind == SdpType::Offer { SdpType::Offer } else { SdpType::Answer };
        let Some(Made { sdp, plan, .. }) = self.made.take_if(|made| made.kind == made_as && made.reads_as(&sdp)) else {
            return Err(Error::InvalidModification(kind));
        };
        match kind {
            SdpType::Offer => self.apply_local_offer(plan),
            SdpType::Pranswer | SdpType::Answer | SdpType::Rollback => self.apply_local_answer(kind, &sdp)?,
        }
        self.version = self.version.saturating_add(1);
        self.descriptions.set(Side::Local, Description { kind, sdp });
        self.enter(signaling);
        self.forget_replaced();
        self.forget_refused_data(had_data);
        Ok(())
    }

    /// Makes and sets the offer or answer that the state asks for: W3C's `setLocalDescription()` without arguments.
    ///
    /// # Errors
    /// Not in this state.
    pub fn set_local(&mut self, local: &LocalTransport) -> Result<&Description, Error> {
        let (kind, sdp) = match self.signaling {
            SignalingState::HaveRemoteOffer | SignalingState::HaveLocalPranswer => {
                (SdpType::Answer, self.create_answer(local)?)
            }
            SignalingState::Stable
            | SignalingState::HaveLocalOffer
            | SignalingState::HaveRemotePranswer
            | SignalingState::Closed => (SdpType::Offer, self.create_offer(local)?),
        };
        self.set_local_description(kind, sdp)?;
        self.local_description().ok_or(Error::InvalidState { operation: "set_local", state: self.signaling })
    }

    /// Sets the peer's description. An offer that meets our own takes its place, as if ours was rolled back. For a
    /// rollback, `sdp` is not read: see [`rollback`](Self::rollback).
    ///
    /// # Errors
    /// Not in this state, or RFC 9429 does not allow the description; nothing has changed then.
    pub fn set_remote_description(&mut self, kind: SdpType, sdp: SessionDescription) -> Result<(), Error> {
        let signaling = self.after(Side::Remote, kind)?;
        let had_data = self.had_data();
        match kind {
            SdpType::Rollback => return self.rollback(),
            SdpType::Offer => {
                let mut stable =
                    self.stable.as_ref().map_or_else(|| self.now.clone(), |stable| self.now.rolled_back(stable));
                stable.forget_stopped();
                let mut now = stable.clone();
                apply::remote_offer(&mut now, &self.config, &sdp)?;
                self.keeps_fingerprints(&now)?;
                (self.now, self.stable) = (now, Some(stable));
                self.descriptions.pending_local = None;
            }
            SdpType::Pranswer | SdpType::Answer => {
                let Some(offer) = &self.descriptions.pending_local else {
                    return Err(self.invalid_state("set_remote_description"));
                };
                let mut now = self.now.clone();
                apply::answer(&mut now, &self.config, &offer.sdp, &sdp, false, kind == SdpType::Answer)?;
                self.keeps_fingerprints(&now)?;
                self.keeps_names(&now)?;
                self.now = now;
            }
        }
        self.made = None;
        self.descriptions.set(Side::Remote, Description { kind, sdp });
        self.enter(signaling);
        self.forget_replaced();
        self.forget_refused_data(had_data);
        Ok(())
    }

    /// Takes back an offer, ours or the peer's, that is not answered yet (RFC 9429 §5.7).
    ///
    /// # Errors
    /// There is none.
    pub fn rollback(&mut self) -> Result<(), Error> {
        match (self.signaling, &self.stable) {
            (SignalingState::HaveLocalOffer | SignalingState::HaveRemoteOffer, Some(stable)) => {
                self.now = self.now.rolled_back(stable);
                self.now.forget_stopped();
            }
            _ => return Err(self.invalid_state("rollback")),
        }
        self.descriptions.pending_local = None;
        self.descriptions.pending_remote = None;
        self.made = None;
        self.enter(SignalingState::Stable);
        Ok(())
    }

    fn apply_local_offer(&mut self, (sections, next_mid): Plan) {
        if self.stable.is_none() {
            self.stable = Some(self.now.clone());
        }
        for section in &sections {
            if let Part::Media(id) = section.part
                && let Some(transceiver) = self.now.transceivers.get_mut(&id)
            {
                transceiver.mid = Some(section.mid.clone());
            }
        }
        self.now.sections = sections;
        self.now.next_mid = next_mid;
    }

    fn apply_local_answer(&mut self, kind: SdpType, sdp: &SessionDescription) -> Result<(), Error> {
        let Some(offer) = &self.descriptions.pending_remote else {
            return Err(self.invalid_state("set_local_description"));
        };
        let mut now = self.now.clone();
        apply::answer(&mut now, &self.config, sdp, &offer.sdp, true, kind == SdpType::Answer)?;
        self.now = now;
        Ok(())
    }

    /// Whether data channels have a section, or had one before the offer that is not answered yet.
    fn had_data(&self) -> bool {
        self.now.has_data() || self.stable.as_ref().is_some_and(Negotiation::has_data)
    }

    /// Who was refused data channels asks for them again only if somebody wants one again.
    fn forget_refused_data(&mut self, had_data: bool) {
        if self.signaling == SignalingState::Stable && had_data && !self.now.has_data() {
            self.wants_data = false;
        }
    }

    fn enter(&mut self, signaling: SignalingState) {
        self.signaling = signaling;
        if signaling == SignalingState::Stable {
            self.stable = None;
        }
    }

    fn after(&self, side: Side, kind: SdpType) -> Result<SignalingState, Error> {
        let operation = match (side, kind) {
            (_, SdpType::Rollback) => "rollback",
            (Side::Local, SdpType::Offer) => "set_local_description (offer)",
            (Side::Local, SdpType::Pranswer) => "set_local_description (pranswer)",
            (Side::Local, SdpType::Answer) => "set_local_description (answer)",
            (Side::Remote, SdpType::Offer) => "set_remote_description (offer)",
            (Side::Remote, SdpType::Pranswer) => "set_remote_description (pranswer)",
            (Side::Remote, SdpType::Answer) => "set_remote_description (answer)",
        };
        self.signaling.after(side, kind).ok_or_else(|| self.invalid_state(operation))
    }

    const fn invalid_state(&self, operation: &'static str) -> Error {
        Error::InvalidState { operation, state: self.signaling }
    }

    /// A description without sections (RFC 9429 §5.2.1).
    fn head(&self) -> SessionDescription {
        SessionDescription::new(Origin {
            username: "-".to_owned(),
            session_id: self.session_id,
            session_version: self.version.saturating_add(1),
            connection: Connection::unspecified(AddressType::Ip4),
        })
    }

    /// The peer's end of the transport, once the peer has described one.
    #[must_use]
    pub const fn remote_transport(&self) -> Option<&RemoteTransport> {
        self.now.remote.as_ref()
    }

    /// Our role in the DTLS handshake, once there was an answer.
    #[must_use]
    pub const fn dtls_role(&self) -> Option<DtlsRole> {
        self.now.dtls_role
    }

    /// Whether the first offer was ours: the ICE agent that makes it is the controlling one (RFC 8445 §6.1.1). `None`
    /// before there is an offer; an offer that is rolled back does not count.
    #[must_use]
    pub fn is_initial_offerer(&self) -> Option<bool> {
        let offers = |description: &Option<Box<Description>>| {
            description.as_ref().is_some_and(|description| description.kind == SdpType::Offer)
        };
        let pending = match (offers(&self.descriptions.pending_local), offers(&self.descriptions.pending_remote)) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        self.descriptions.first_offer_was_ours.or(pending)
    }

    /// What was agreed upon for data channels, once there was an answer that accepts them.
    #[must_use]
    pub const fn data(&self) -> Option<&DataParameters> {
        self.now.data.as_ref()
    }

    /// Whether there are no data channels, and will be none before somebody wants one: an answer has refused them, or
    /// nobody has asked.
    #[must_use]
    pub fn is_without_data(&self) -> bool {
        self.signaling == SignalingState::Stable && !self.wants_data && !self.now.has_data()
    }

    /// W3C `localDescription`: the pending one, else the current one.
    #[must_use]
    pub fn local_description(&self) -> Option<&Description> {
        self.descriptions.pending_local.as_deref().or(self.descriptions.current_local.as_deref())
    }

    /// W3C `remoteDescription`: the pending one, else the current one.
    #[must_use]
    pub fn remote_description(&self) -> Option<&Description> {
        self.descriptions.pending_remote.as_deref().or(self.descriptions.current_remote.as_deref())
    }

    /// W3C `currentLocalDescription`.
    #[must_use]
    pub fn current_local_description(&self) -> Option<&Description> {
        self.descriptions.current_local.as_deref()
    }

    /// W3C `currentRemoteDescription`.
    #[must_use]
    pub fn current_remote_description(&self) -> Option<&Description> {
        self.descriptions.current_remote.as_deref()
    }

    /// W3C `pendingLocalDescription`.
    #[must_use]
    pub fn pending_local_description(&self) -> Option<&Description> {
        self.descriptions.pending_local.as_deref()
    }

    /// W3C `pendingRemoteDescription`.
    #[must_use]
    pub fn pending_remote_description(&self) -> Option<&Description> {
        self.descriptions.pending_remote.as_deref()
    }

    /// The section that a trickled candidate of ours belongs to: its mid and place. The first one, unless the peer has refused that.
    #[must_use]
    pub fn candidate_section(&self) -> Option<(&str, usize)> {
        let sdp = &self.local_description()?.sdp;
        let index = candidate_section(&self.now, sdp)?;
        Some((sdp.media.get(index)?.attributes.mid().unwrap_or_default(), index))
    }

    /// Whether the peer's description has the section that a candidate names; by its name, or else by its place. An empty name is
    /// none. Where sections have no names in the description, any name may be theirs.
    ///
    /// # Errors
    /// W3C §4.4.2: if "candidate.sdpMid is not equal to the mid of any media description in remoteDescription" or
    /// "candidate.sdpMLineIndex is equal to or larger than the number of media descriptions in remoteDescription".
    pub fn ensure_section(&self, mid: Option<&str>, m_line_index: Option<usize>) -> Result<(), Error> {
        let media = self.remote_description().map(|description| description.sdp.media.as_slice()).unwrap_or_default();
        match (mid.filter(|mid| !mid.is_empty()), m_line_index) {
            (Some(mid), _) => {
                let is_its = |section: &MediaDescription| section.attributes.mid().is_none_or(|its| its == mid);
                media.iter().any(is_its).then_some(()).ok_or_else(|| Error::UnknownSection(format!("{mid:?}")))
            }
            (None, Some(index)) if index >= media.len() => Err(Error::UnknownSection(format!("number {index}"))),
            (None, _) => Ok(()),
        }
    }

    /// Whether a candidate that the peer trickles for this section is one of the transport's: peers that do not count on
    /// the bundle trickle for each section, until they know. An empty name is none.
    #[must_use]
    pub fn takes_candidate(&self, mid: Option<&str>, m_line_index: Option<usize>, ufrag: Option<&str>) -> bool {
        let [mid, ufrag] = [mid, ufrag].map(|name| name.filter(|name| !name.is_empty()));
        self.now.remote.as_ref().is_some_and(|remote| {
            let own = [(remote.mid.as_str(), remote.m_line_index)];
            let mut sections =
                own.into_iter().chain(remote.refused_first.iter().map(|(mid, index)| (mid.as_str(), *index)));
            let is_its = sections.any(|(its_mid, its_index)| match (mid, m_line_index) {
                (Some(mid), _) => mid == its_mid,
                (None, Some(index)) => index == its_index,
                (None, None) => true,
            });
            is_its && ufrag.is_none_or(|ufrag| ufrag == remote.ufrag)
        })
    }

    /// Writes the candidates gathered since into our descriptions, so that one that is signalled late has them all.
    pub fn update_candidates(&mut self, local: &LocalTransport) {
        let descriptions = [&mut self.descriptions.pending_local, &mut self.descriptions.current_local];
        for description in descriptions.into_iter().flatten() {
            let tagged = candidate_section(&self.now, &description.sdp);
            let section = tagged.and_then(|index| description.sdp.media.get_mut(index));
            if let Some(section) = section.filter(|section| section.attributes.ice_ufrag() == Some(&local.ufrag)) {
                section::put_candidates(section, &local.candidates, local.end_of_candidates);
                description.sdp.shrink_to_fit();
            }
        }
    }
}

impl Descriptions {
    /// W3C §4.4.1.5: an answer makes both sides' descriptions current.
    fn set(&mut self, side: Side, mut description: Description) {
        description.sdp.shrink_to_fit();
        let is_final = description.kind == SdpType::Answer;
        let (pending, other) = match side {
            Side::Local => (&mut self.pending_local, &mut self.pending_remote),
            Side::Remote => (&mut self.pending_remote, &mut self.pending_local),
        };
        *pending = Some(Box::new(description));
        if is_final && other.is_some() {
            self.first_offer_was_ours.get_or_insert(side == Side::Remote);
            self.current_local = self.pending_local.take();
            self.current_remote = self.pending_remote.take();
        }
    }
}

/// The section of our description that tells of candidates.
fn candidate_section(now: &Negotiation, sdp: &SessionDescription) -> Option<usize> {
    let lives = |index: usize| now.sections.get(index).is_none_or(|section| section.part != Part::Nothing);
    view::tagged(sdp, lives).or_else(|| view::tagged(sdp, |_| true))
}

/// What all sections have in common (RFC 9429 §5.2.1).
fn session_attributes(sdp: &mut SessionDescription, bundled: Vec<String>) {
    if !bundled.is_empty() {
        sdp.attributes.push(Attribute::Group(Group { semantics: "BUNDLE".to_owned(), mids: bundled }));
    }
    sdp.attributes.push(Attribute::ExtmapAllowMixed);
    // RFC 9429 §5.2.1: "An 'a=ice-options' line with the 'trickle' and 'ice2' options MUST be added".
    sdp.attributes.push(Attribute::IceOptions(IceOptions("trickle ice2".to_owned())));
}

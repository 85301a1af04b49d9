//! What the descriptions of publishers and viewers must be like, and what of them a fragment changes.

use wigwag_sdp::{Attribute, Attributes, Candidate, Direction, IcePwd, MediaDescription, SessionDescription};

/// Who a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Publisher,
    Viewer,
}

/// Why an offer is not taken: a status of HTTP, and words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) why: String,
}

impl Refused {
    pub(super) fn new(status: u16, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }
}

/// Reads an offer, and looks whether it is one of this role: a publisher sends and a viewer receives, or either does both (RFC 9725
/// §4.2, draft-ietf-wish-whep §4.2).
pub(super) fn parse(text: &str, role: Role) -> Result<SessionDescription, Refused> {
    let offer = SessionDescription::parse(text).map_err(|error| Refused::new(400, error.to_string()))?;
    let wanted = match role {
        Role::Publisher => Direction::Sendonly,
        Role::Viewer => Direction::Recvonly,
    };
    for section in media(&offer) {
        let of_section = section.attributes.direction().or_else(|| offer.attributes.direction()).unwrap_or_default();
        if of_section != wanted && of_section != Direction::Sendrecv {
            let why = format!("The section of {} is {of_section}: it must be {wanted}, or sendrecv.", section.media);
            return Err(Refused::new(400, why));
        }
    }
    let [sound, pictures] =
        ["audio", "video"].map(|kind| media(&offer).filter(|section| section.media == kind).count());
    match (role, sound, pictures) {
        (_, 0, 0) => Err(Refused::new(406, "The offer has neither sound nor pictures.")),
        // RFC 9725 §4.4.2: one MediaStreamTrack of each kind.
        (Role::Publisher, 2.., _) | (Role::Publisher, _, 2..) => Err(Refused::new(
            406,
            "The offer has more than one track of a kind: one of sound and one of pictures are taken.",
        )),
        _ => Ok(offer),
    }
}

/// The sections of sound and pictures that are not given up.
fn media(offer: &SessionDescription) -> impl Iterator<Item = &MediaDescription> {
    let is_media = |section: &&MediaDescription| matches!(section.media.as_str(), "audio" | "video");
    offer.media.iter().filter(is_media).filter(|section| !section.is_rejected())
}

/// `application/trickle-ice-sdpfrag` (RFC 8840 §9): what a client tells of ICE, and what it is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    ufrag: String,
    pwd: String,
    candidates: Vec<Candidate>,
    is_end: bool,
}

/// What a description has above what a fragment is made of.
const PREAMBLE: &str = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";

impl Fragment {
    /// Reads one.
    pub(super) fn parse(text: &str) -> Result<Self, Refused> {
        let whole = SessionDescription::parse(&format!("{PREAMBLE}{text}")).map_err(|mut error| {
            error.line = error.line.saturating_sub(PREAMBLE.lines().count());
            Refused::new(400, error.to_string())
        })?;
        Self::of(&whole).ok_or_else(|| Refused::new(400, "The fragment has no a=ice-ufrag and a=ice-pwd."))
    }

    /// What a description says of ICE. All sections share one transport.
    pub(super) fn of(whole: &SessionDescription) -> Option<Self> {
        let all = || std::iter::once(&whole.attributes).chain(whole.media.iter().map(|section| &section.attributes));
        Some(Self {
            ufrag: all().find_map(Attributes::ice_ufrag)?.to_owned(),
            pwd: all().find_map(Attributes::ice_pwd)?.to_owned(),
            candidates: all().flat_map(Attributes::candidates).cloned().collect(),
            is_end: all().any(|attributes| attributes.contains(&Attribute::EndOfCandidates)),
        })
    }

    /// Whether it belongs to what that one began.
    pub(super) fn continues(&self, other: &Self) -> bool {
        (&self.ufrag, &self.pwd) == (&other.ufrag, &other.pwd)
    }

    /// As `RTCIceCandidate.candidate` has it.
    pub(super) fn candidates(&self) -> impl Iterator<Item = String> {
        self.candidates.iter().map(Candidate::to_string)
    }

    pub(super) const fn is_end(&self) -> bool {
        self.is_end
    }

    pub(super) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The offer that begins ICE anew with this, and changes nothing else (RFC 8839 §4.4.1.1.1).
    pub(super) fn restart(&self, offer: &SessionDescription) -> SessionDescription {
        let mut again = offer.clone();
        again.origin.session_version = again.origin.session_version.wrapping_add(1);
        forget_ice(&mut again.attributes);
        for section in &mut again.media {
            forget_ice(&mut section.attributes);
            section.attributes.push(Attribute::IceUfrag(self.ufrag.clone()));
            section.attributes.push(Attribute::IcePwd(IcePwd(self.pwd.clone())));
            let candidates = self.candidates.iter().cloned();
            section.attributes.extend(candidates.map(|candidate| Attribute::Candidate(Box::new(candidate))));
        }
        again
    }

    /// As the answer to a restart; `section` is the first of those that are bundled.
    pub(super) fn print(&self, section: &MediaDescription) -> String {
        let Self { ufrag, pwd, .. } = self;
        let formats = section.formats.iter().map(|format| format!(" {format}")).collect::<String>();
        let mut text = format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n");
        text += &format!("m={} {} {}{formats}\r\n", section.media, section.port, section.protocol);
        if let Some(mid) = section.attributes.mid() {
            text += &format!("a=mid:{mid}\r\n");
        }
        for candidate in self.candidates() {
            text += &format!("a={candidate}\r\n");
        }
        text + "a=end-of-candidates\r\n"
    }
}

fn forget_ice(attributes: &mut Attributes) {
    attributes.retain(|attribute| {
        !matches!(
            attribute,
            Attribute::IceUfrag(_) | Attribute::IcePwd(_) | Attribute::Candidate(_) | Attribute::EndOfCandidates
        )
    });
}

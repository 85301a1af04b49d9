//! W3C `RTCStatsReport`: everything that is known of a connection now.

use super::json::{Member, quote};
use super::media::{CodecStats, InboundRtpStats, OutboundRtpStats, RemoteInboundRtpStats, RemoteOutboundRtpStats};
use super::transport::{
    CandidatePairStats, CertificateStats, DataChannelStats, LocalCandidateStats, PeerConnectionStats,
    RemoteCandidateStats, RtcTransportStats,
};

/// An object of a report.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Stats {
    /// `codec`
    Codec(CodecStats),
    /// `inbound-rtp`
    InboundRtp(InboundRtpStats),
    /// `outbound-rtp`
    OutboundRtp(OutboundRtpStats),
    /// `remote-inbound-rtp`
    RemoteInboundRtp(RemoteInboundRtpStats),
    /// `remote-outbound-rtp`
    RemoteOutboundRtp(RemoteOutboundRtpStats),
    /// `peer-connection`
    PeerConnection(PeerConnectionStats),
    /// `data-channel`
    DataChannel(DataChannelStats),
    /// `transport`
    Transport(RtcTransportStats),
    /// `candidate-pair`
    CandidatePair(CandidatePairStats),
    /// `local-candidate`
    LocalCandidate(LocalCandidateStats),
    /// `remote-candidate`
    RemoteCandidate(RemoteCandidateStats),
    /// `certificate`
    Certificate(CertificateStats),
}

macro_rules! each {
    ($stats:expr, $inner:ident => $result:expr) => {
        match $stats {
            Stats::Codec($inner) => $result,
            Stats::InboundRtp($inner) => $result,
            Stats::OutboundRtp($inner) => $result,
            Stats::RemoteInboundRtp($inner) => $result,
            Stats::RemoteOutboundRtp($inner) => $result,
            Stats::PeerConnection($inner) => $result,
            Stats::DataChannel($inner) => $result,
            Stats::Transport($inner) => $result,
            Stats::CandidatePair($inner) => $result,
            Stats::LocalCandidate($inner) => $result,
            Stats::RemoteCandidate($inner) => $result,
            Stats::Certificate($inner) => $result,
        }
    };
}

impl Stats {
    /// Names the object in its report, and in later ones.
    pub fn id(&self) -> &str {
        each!(self, stats => &stats.id)
    }

    /// W3C `RTCStatsType`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Codec(_) => CodecStats::TYPE,
            Self::InboundRtp(_) => InboundRtpStats::TYPE,
            Self::OutboundRtp(_) => OutboundRtpStats::TYPE,
            Self::RemoteInboundRtp(_) => RemoteInboundRtpStats::TYPE,
            Self::RemoteOutboundRtp(_) => RemoteOutboundRtpStats::TYPE,
            Self::PeerConnection(_) => PeerConnectionStats::TYPE,
            Self::DataChannel(_) => DataChannelStats::TYPE,
            Self::Transport(_) => RtcTransportStats::TYPE,
            Self::CandidatePair(_) => CandidatePairStats::TYPE,
            Self::LocalCandidate(_) => LocalCandidateStats::TYPE,
            Self::RemoteCandidate(_) => RemoteCandidateStats::TYPE,
            Self::Certificate(_) => CertificateStats::TYPE,
        }
    }

    /// W3C's names of the members that an object of its type may have, besides `id`, `timestamp` and `type`.
    pub fn members(&self) -> &'static [&'static str] {
        match self {
            Self::Codec(_) => CodecStats::MEMBERS,
            Self::InboundRtp(_) => InboundRtpStats::MEMBERS,
            Self::OutboundRtp(_) => OutboundRtpStats::MEMBERS,
            Self::RemoteInboundRtp(_) => RemoteInboundRtpStats::MEMBERS,
            Self::RemoteOutboundRtp(_) => RemoteOutboundRtpStats::MEMBERS,
            Self::PeerConnection(_) => PeerConnectionStats::MEMBERS,
            Self::DataChannel(_) => DataChannelStats::MEMBERS,
            Self::Transport(_) => RtcTransportStats::MEMBERS,
            Self::CandidatePair(_) => CandidatePairStats::MEMBERS,
            Self::LocalCandidate(_) => LocalCandidateStats::MEMBERS,
            Self::RemoteCandidate(_) => RemoteCandidateStats::MEMBERS,
            Self::Certificate(_) => CertificateStats::MEMBERS,
        }
    }

    /// An object with W3C's names; what is not known is left out.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        each!(self, stats => stats.write_json(out));
    }
}

/// W3C `RTCStatsReport`: objects that name each other by their ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatsReport(pub(crate) Vec<Stats>);

impl StatsReport {
    /// All objects.
    pub fn iter(&self) -> impl Iterator<Item = &Stats> {
        self.0.iter()
    }

    /// The object of that id.
    pub fn get(&self, id: &str) -> Option<&Stats> {
        self.iter().find(|stats| stats.id() == id)
    }

    /// An object of all objects, each under its id: what a browser's report is after `Object.fromEntries`.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        for (n, stats) in self.iter().enumerate() {
            out.push_str(if n == 0 { "" } else { "," });
            quote(stats.id(), &mut out);
            out.push(':');
            stats.write_json(&mut out);
        }
        out.push('}');
        out
    }
}

/// Members that have no value are left out.
pub(super) fn write_object(out: &mut String, members: &[(&'static str, &dyn Member)]) {
    out.push('{');
    let start = out.len();
    for (name, member) in members {
        let before = out.len();
        out.push_str(if before == start { "" } else { "," });
        quote(name, out);
        out.push(':');
        if !member.write(out) {
            out.truncate(before);
        }
    }
    out.push('}');
}

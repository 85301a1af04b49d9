//! What streams and channels run over, as webrtc-stats has it.

use super::dictionary::dictionary;
use super::json::Timestamp;
use std::time::Duration;

dictionary! {
    /// W3C `RTCPeerConnectionStats`.
    PeerConnectionStats: "peer-connection" {
        /// Data channels that were ever open.
        data_channels_opened: u64 = "dataChannelsOpened",
        /// Of these, those that are no longer.
        data_channels_closed: u64 = "dataChannelsClosed",
    }
}

dictionary! {
    /// W3C `RTCDataChannelStats`.
    DataChannelStats: "data-channel" {
        /// Its name.
        label: String = "label",
        /// The name of its subprotocol.
        protocol: String = "protocol",
        /// Its stream, once it has one.
        data_channel_identifier: Option<u16> = "dataChannelIdentifier",
        /// `connecting`, `open`, `closing` or `closed`.
        state: &'static str = "state",
        /// Messages that `send` took.
        messages_sent: u64 = "messagesSent",
        /// Their bytes.
        bytes_sent: u64 = "bytesSent",
        /// Messages delivered.
        messages_received: u64 = "messagesReceived",
        /// Their bytes.
        bytes_received: u64 = "bytesReceived",
    }
}

dictionary! {
    /// W3C `RTCTransportStats`: the one transport that everything is bundled on.
    RtcTransportStats: "transport" {
        /// Packets sent, without connectivity checks.
        packets_sent: u64 = "packetsSent",
        /// Packets received, without connectivity checks and strangers' packets.
        packets_received: u64 = "packetsReceived",
        /// Their bytes, above UDP.
        bytes_sent: u64 = "bytesSent",
        /// Their bytes, above UDP.
        bytes_received: u64 = "bytesReceived",
        /// `controlling` or `controlled`; `unknown` before any negotiation.
        ice_role: &'static str = "iceRole",
        /// The ICE user fragment of our descriptions.
        ice_local_username_fragment: String = "iceLocalUsernameFragment",
        /// `new`, `connecting`, `connected`, `closed` or `failed`.
        dtls_state: &'static str = "dtlsState",
        /// As W3C `RTCIceTransportState`.
        ice_state: String = "iceState",
        /// The pair in use.
        selected_candidate_pair_id: Option<String> = "selectedCandidatePairId",
        /// Our certificate.
        local_certificate_id: String = "localCertificateId",
        /// The peer's, once it was shown.
        remote_certificate_id: Option<String> = "remoteCertificateId",
        /// The version of DTLS on the wire, as `FEFD` for 1.2.
        tls_version: Option<String> = "tlsVersion",
        /// IANA's name of the cipher suite.
        dtls_cipher: Option<String> = "dtlsCipher",
        /// `client` or `server`; `unknown` before it is negotiated.
        dtls_role: &'static str = "dtlsRole",
        /// IANA's name of the SRTP protection profile.
        srtp_cipher: Option<String> = "srtpCipher",
        /// How often data began to go another way, or found none.
        selected_candidate_pair_changes: u64 = "selectedCandidatePairChanges",
        /// Congestion control feedback sent (RFC 8888).
        ccfb_messages_sent: u64 = "ccfbMessagesSent",
        /// Congestion control feedback received.
        ccfb_messages_received: u64 = "ccfbMessagesReceived",
    }
}

dictionary! {
    /// W3C `RTCIceCandidatePairStats`.
    CandidatePairStats: "candidate-pair" {
        /// The transport it is for.
        transport_id: String = "transportId",
        /// Our candidate.
        local_candidate_id: String = "localCandidateId",
        /// The peer's.
        remote_candidate_id: String = "remoteCandidateId",
        /// `frozen`, `waiting`, `in-progress`, `failed` or `succeeded`.
        state: &'static str = "state",
        /// Whether it was nominated, by either side.
        nominated: bool = "nominated",
        /// Packets sent, without connectivity checks.
        packets_sent: u64 = "packetsSent",
        /// Packets received, without connectivity checks and strangers' packets.
        packets_received: u64 = "packetsReceived",
        /// Their bytes, above UDP.
        bytes_sent: u64 = "bytesSent",
        /// Their bytes, above UDP.
        bytes_received: u64 = "bytesReceived",
        /// When the last of them was sent.
        last_packet_sent_timestamp: Option<Timestamp> = "lastPacketSentTimestamp",
        /// When the last of them arrived.
        last_packet_received_timestamp: Option<Timestamp> = "lastPacketReceivedTimestamp",
        /// The sum of all round trip times measured by STUN.
        total_round_trip_time: Duration = "totalRoundTripTime",
        /// The last of them, while the pair works.
        current_round_trip_time: Option<Duration> = "currentRoundTripTime",
        /// What congestion control of media allows, in bit/s: of the pair in use, where it is asked for and the peer reports arrivals.
        available_outgoing_bitrate: Option<u64> = "availableOutgoingBitrate",
        /// Authenticated checks received.
        requests_received: u64 = "requestsReceived",
        /// Checks sent, without retransmissions.
        requests_sent: u64 = "requestsSent",
        /// Authenticated answers received.
        responses_received: u64 = "responsesReceived",
        /// Answers sent.
        responses_sent: u64 = "responsesSent",
        /// Checks sent that keep consent alive.
        consent_requests_sent: u64 = "consentRequestsSent",
    }
}

dictionary! {
    /// W3C `RTCIceCandidateStats`: one of our addresses.
    LocalCandidateStats: "local-candidate" {
        /// The transport it is for.
        transport_id: String = "transportId",
        /// Its address.
        address: String = "address",
        /// Its port.
        port: u16 = "port",
        /// `udp` or `tcp`.
        protocol: &'static str = "protocol",
        /// Over TCP, who opens the stream: `active` or `passive`.
        tcp_type: Option<&'static str> = "tcpType",
        /// `host`, `srflx`, `prflx` or `relay`.
        candidate_type: &'static str = "candidateType",
        /// Higher is better.
        priority: u32 = "priority",
        /// Equal for candidates that probably work or fail together.
        foundation: String = "foundation",
        /// The address that a reflexive or relayed one is of, if it is told.
        related_address: Option<String> = "relatedAddress",
        /// The port that goes with it.
        related_port: Option<u16> = "relatedPort",
        /// The user fragment of the descriptions that it belongs to.
        username_fragment: Option<String> = "usernameFragment",
        /// The TURN server that relays it.
        url: Option<String> = "url",
        /// How that server is asked: `udp`, `tcp` or `tls`.
        relay_protocol: Option<&'static str> = "relayProtocol",
    }
}

dictionary! {
    /// W3C `RTCIceCandidateStats`: one of the peer's addresses.
    RemoteCandidateStats: "remote-candidate" {
        /// The transport it is for.
        transport_id: String = "transportId",
        /// Its address.
        address: String = "address",
        /// Its port.
        port: u16 = "port",
        /// `udp` or `tcp`.
        protocol: &'static str = "protocol",
        /// Over TCP, who opens the stream: `active` or `passive`.
        tcp_type: Option<&'static str> = "tcpType",
        /// `host`, `srflx`, `prflx` or `relay`.
        candidate_type: &'static str = "candidateType",
        /// Higher is better.
        priority: u32 = "priority",
        /// Equal for candidates that probably work or fail together.
        foundation: String = "foundation",
        /// The address that a reflexive or relayed one is of, if it is told.
        related_address: Option<String> = "relatedAddress",
        /// The port that goes with it.
        related_port: Option<u16> = "relatedPort",
        /// The user fragment of the descriptions that it belongs to.
        username_fragment: Option<String> = "usernameFragment",
    }
}

dictionary! {
    /// W3C `RTCCertificateStats`.
    CertificateStats: "certificate" {
        /// Its hash, in hexadecimal with colons.
        fingerprint: String = "fingerprint",
        /// The hash function, as `sha-256`.
        fingerprint_algorithm: String = "fingerprintAlgorithm",
        /// Its DER in base 64.
        base64_certificate: String = "base64Certificate",
    }
}

//! Offers, answers and candidates, and what follows from them for every layer.

use super::{End, PeerConnection};
use crate::description::SessionDescription;
use crate::error::Error;
use crate::jsep::{SdpType, SignalingState};
use crate::mapping;
use std::sync::Arc;
use wigwag_dtls as dtls;
use wigwag_ice as ice;

impl PeerConnection {
    /// W3C `createOffer`. Nothing changes until it is set.
    ///
    /// # Errors
    /// The connection is closed, or the signalling state does not allow it.
    pub fn create_offer(&mut self) -> Result<SessionDescription, Error> {
        self.ensure_open()?;
        let local = self.transport_to_describe(self.offers_anew());
        let sdp = self.jsep.create_offer(&local)?;
        Ok(SessionDescription::offer(sdp.to_string()))
    }

    /// W3C `createAnswer`. Nothing changes until it is set.
    ///
    /// # Errors
    /// The connection is closed, or there is no offer to answer.
    pub fn create_answer(&mut self) -> Result<SessionDescription, Error> {
        self.ensure_open()?;
        let local = self.transport_to_describe(self.answers_anew());
        let sdp = self.jsep.create_answer(&local)?;
        Ok(SessionDescription::answer(sdp.to_string()))
    }

    /// W3C `setLocalDescription`. From now on candidates are told, and [STUN](crate::Config::stun_servers) and
    /// [TURN servers](crate::Config::turn_servers) asked.
    /// [`SessionDescription::rollback`] takes an offer back.
    ///
    /// # Errors
    /// The connection is closed, the signalling state does not allow it, or it is not what was created last.
    #[expect(clippy::needless_pass_by_value, reason = "a description is handed over")]
    pub fn set_local_description(&mut self, description: SessionDescription) -> Result<(), Error> {
        self.ensure_open()?;
        if description.kind == SdpType::Rollback {
            self.roll_back()?;
        } else {
            self.jsep.set_local_description(description.kind, mapping::parse(&description)?)?;
            self.begin(description.kind, ice::Role::Controlling);
            self.prepare_restart();
            for server in &self.config.stun_servers {
                self.transport.ice.add_stun_server(*server);
            }
            self.begin_gathering();
            self.end_of_local_candidates();
            self.gathering.update(self.transport.gathering_state());
            self.jsep.update_candidates(&self.local_transport());
        }
        self.apply();
        Ok(())
    }

    /// W3C `setRemoteDescription`.
    ///
    /// An offer that meets our own takes its place, as if ours had been rolled back; [`Event::NegotiationNeeded`] asks for it again
    /// after the answer. That is what the polite side of W3C's perfect negotiation does. The impolite one looks at
    /// [`signaling_state`](Self::signaling_state) first, and leaves an offer alone that comes while it is not stable.
    ///
    /// [`Event::NegotiationNeeded`]: crate::Event::NegotiationNeeded
    ///
    /// # Errors
    /// The connection is closed, the signalling state does not allow it, or the description is not acceptable: the
    /// error names the line, or the section, and what is wrong with it.
    #[expect(clippy::needless_pass_by_value, reason = "a description is handed over")]
    pub fn set_remote_description(&mut self, description: SessionDescription) -> Result<(), Error> {
        self.ensure_open()?;
        if description.kind == SdpType::Rollback {
            self.roll_back()?;
        } else {
            let before = self.remote_credentials();
            self.jsep.set_remote_description(description.kind, mapping::parse(&description)?)?;
            if description.kind == SdpType::Offer {
                // What was told for an offer is told for the one that takes its place under the same name.
                let held = std::mem::take(&mut self.held);
                self.cancel_restart(); // an offer of ours that it meets is taken back
                if before == self.remote_credentials() {
                    self.held = held;
                }
            } else if let Some((mid, index)) = self.jsep.candidate_section() {
                self.gathering.answered(mid, index, &self.transport.ice);
            }
            self.begin(description.kind, ice::Role::Controlled);
        }
        self.apply();
        Ok(())
    }

    fn roll_back(&mut self) -> Result<(), Error> {
        self.jsep.rollback()?;
        self.cancel_restart();
        Ok(())
    }

    /// RFC 8445 §6.1.1: "the initiating agent that started the ICE processing MUST take the controlling role, and the
    /// other MUST take the controlled role." Whoever makes the first offer has started it.
    pub(super) fn begin(&mut self, kind: SdpType, role: ice::Role) {
        if kind == SdpType::Offer && self.jsep.current_local_description().is_none() {
            self.transport.ice.set_role(role);
        }
    }

    /// W3C `localDescription`, with the candidates found so far.
    pub fn local_description(&self) -> Option<SessionDescription> {
        self.jsep.local_description().map(|found| SessionDescription { kind: found.kind, sdp: found.sdp.to_string() })
    }

    /// W3C `remoteDescription`, as it was given.
    pub fn remote_description(&self) -> Option<SessionDescription> {
        self.jsep.remote_description().map(|found| SessionDescription { kind: found.kind, sdp: found.sdp.to_string() })
    }

    pub(super) fn ensure_open(&self) -> Result<(), Error> {
        if self.end == End::No { Ok(()) } else { Err(Error::Closed) }
    }

    /// Gives every layer what was negotiated for it, as far as it is known. Doing it again changes nothing.
    pub(super) fn apply(&mut self) {
        self.may_tell = true;
        self.may_need_negotiation = true;
        // W3C §4.4.1.5: back in the stable state, whether negotiation is needed is asked anew, whatever was told before.
        self.told.negotiation_needed &= self.jsep.signaling_state() != SignalingState::Stable;
        self.apply_ice();
        self.apply_dtls();
        self.apply_sctp();
        self.apply_cryptex();
        self.media.apply(&self.jsep, &mut self.transport.secured.rtp);
    }

    pub(super) fn apply_dtls(&mut self) {
        let (Some(role), Some(remote)) = (self.jsep.dtls_role(), self.jsep.remote_transport()) else { return };
        if self.transport.secured.dtls.is_some() {
            return;
        }
        let role = mapping::dtls_role(role);
        let mut config = dtls::Config::new(role, Arc::clone(&self.certificate));
        config.remote_fingerprints = remote.fingerprints.iter().filter_map(mapping::fingerprint).collect();
        config.srtp_profiles.clone_from(&self.config.srtp_profiles);
        (config.min_version, config.max_version) = self.config.dtls_versions.clone().into_inner();
        config.key_log = self.config.tap.key_log;
        self.transport.start_dtls(dtls::Connection::new(config, self.seed.fork("dtls")));
        self.jsep.pin_fingerprints();
        self.channels.set_dtls_role(role == dtls::Role::Client);
    }

    fn apply_cryptex(&mut self) {
        let policy = self.config.negotiation.header_encryption;
        let secured = &mut self.transport.secured;
        secured.cryptex = mapping::cryptex(policy, self.jsep.is_header_encrypted());
    }

    pub(super) fn apply_sctp(&mut self) {
        if self.jsep.is_without_data() {
            self.channels.close_all();
            if self.transport.secured.sctp.take().is_some() {
                self.associations_before = self.associations_before.saturating_add(1);
                self.sctp_init = mapping::sctp_init(&self.config, &self.seed, self.associations_before);
            }
        }
        let Some(data) = self.jsep.data() else { return };
        if let Some(sctp) = &mut self.transport.secured.sctp {
            return sctp.set_remote_max_message_size(mapping::message_len_max_send(data));
        }
        if self.jsep.dtls_role().is_none() {
            return;
        }
        self.transport.start_sctp(mapping::sctp_association(&self.config, data, &self.seed, self.associations_before));
    }
}

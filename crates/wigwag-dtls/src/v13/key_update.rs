//! After the handshake: keys are replaced, and tickets thrown away (RFC 9147 §8, RFC 8446 §4.6).
//!
//! ```text
//!            wanted           the flight before is acknowledged        acknowledged
//!   Settled ────────► Owed ──────────────────────────────────► Sent ───────────────► Settled, or Owed again
//! ```

use super::key_schedule::{ApplicationSecrets, Exporter, TrafficSecret};
use super::keys;
use crate::Role;
use crate::alert::AlertDescription;
use crate::handshake::fragment::Message;
use crate::handshake::{Failure, Handshake};
use crate::message::{HandshakeType, KeyUpdate, NewSessionTicket};
use crate::record::epoch::WriteEpoch;
use crate::record::unified::Reader;

/// RFC 9147 §4.2.1: "Implementations MUST NOT allow the epoch to wrap, but instead MUST establish a new association"
const EPOCH_MAX: u16 = u16::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Update {
    Settled,
    Owed(KeyUpdate),
    Sent {
        /// One more is wanted.
        next: Option<KeyUpdate>,
    },
}

/// What a connection that is complete keeps of its secrets.
pub(crate) struct Established {
    role: Role,
    ours: TrafficSecret,
    theirs: TrafficSecret,
    pub(crate) exporter: Exporter,
    update: Update,
}

impl Established {
    pub(super) fn new(role: Role, secrets: ApplicationSecrets) -> Self {
        let (ours, theirs) = (secrets.of(role).clone(), secrets.of(role.other()).clone());
        Self { role, ours, theirs, exporter: secrets.exporter, update: Update::Settled }
    }

    /// We want new keys, and the peer's as well if `is_requested`; at most one KeyUpdate is on its way, and one more wanted.
    ///
    /// RFC 9147 §5.8.4: "implementations MUST NOT send KeyUpdate, NewConnectionId, or RequestConnectionId messages if an
    /// earlier message of the same type has not yet been acknowledged."
    pub(crate) fn update(&mut self, is_requested: bool, handshake: &mut Handshake) {
        let merged = |other: &KeyUpdate| KeyUpdate { is_requested: is_requested || other.is_requested };
        let wanted = KeyUpdate { is_requested };
        self.update = match &self.update {
            Update::Settled => Update::Owed(wanted),
            Update::Owed(other) => Update::Owed(merged(other)),
            Update::Sent { next } => Update::Sent { next: Some(next.as_ref().map_or(wanted, merged)) },
        };
        self.send(handshake);
    }

    /// Whether new keys are on their way, or wanted.
    pub(crate) fn is_updating(&self) -> bool {
        self.update != Update::Settled
    }

    /// The epoch is full, and new keys are wanted long enough before.
    pub(crate) fn refresh(&mut self, handshake: &mut Handshake) {
        let is_full = handshake.write.last().is_some_and(WriteEpoch::is_worn);
        if is_full && !self.is_updating() {
            self.update(false, handshake);
        }
    }

    /// The flight before was acknowledged, or there was none.
    fn send(&mut self, handshake: &mut Handshake) {
        let Update::Owed(update) = self.update else { return };
        if !handshake.flight.is_idle() {
            return;
        }
        if handshake.epoch() == EPOCH_MAX || !handshake.has_numbers() {
            self.update = Update::Settled;
            return;
        }
        handshake.flight.begin(false);
        handshake.send_post_handshake(HandshakeType::KEY_UPDATE, |_, out| update.encode(out));
        self.update = Update::Sent { next: None };
    }

    /// The peer has all that we sent: the handshake's last flight, or a KeyUpdate.
    ///
    /// RFC 9147 §8: "implementations MUST NOT send records with the new keys or send a new KeyUpdate until the previous
    /// KeyUpdate has been acknowledged"
    pub(crate) fn acknowledged(&mut self, handshake: &mut Handshake) -> Result<(), Failure> {
        handshake.flight.clear();
        if let Update::Sent { next } = self.update {
            let epoch = handshake.epoch().saturating_add(1);
            self.ours = self.ours.next();
            handshake.write.push(WriteEpoch::dtls13(epoch, keys(&self.ours)?));
            self.update = next.map_or(Update::Settled, Update::Owed);
        }
        // Nothing will be repeated in the epochs before.
        let current = handshake.epoch();
        handshake.write.retain(|epoch| epoch.epoch() == current);
        self.send(handshake);
        Ok(())
    }

    /// A message after the handshake; it came in the current epoch, and none before it is missing.
    pub(crate) fn handle(&mut self, message: &Message, handshake: &mut Handshake) -> Result<(), Failure> {
        match (message.message_type(), self.role) {
            (HandshakeType::KEY_UPDATE, _) => self.handle_key_update(message, handshake),
            // Sessions are not resumed.
            (HandshakeType::NEW_SESSION_TICKET, Role::Client) => {
                Ok(NewSessionTicket::decode(message.body()).map(drop)?)
            }
            _ => Err(Failure::refused(AlertDescription::UnexpectedMessage, "a handshake message came after the end")),
        }
    }

    // RFC 9147 §8: "As with other handshake messages with no built-in response, KeyUpdates MUST be acknowledged." That is done
    // for every message.
    fn handle_key_update(&mut self, message: &Message, handshake: &mut Handshake) -> Result<(), Failure> {
        let why = "a KeyUpdate neither requests nor does not";
        let update = KeyUpdate::decode(message.body())?;
        let update = update.ok_or(Failure::refused(AlertDescription::IllegalParameter, why))?;
        let epoch = handshake.readers.epoch();
        if epoch == EPOCH_MAX {
            return Err(Failure::refused(AlertDescription::UnexpectedMessage, "all epochs are used"));
        }
        self.theirs = self.theirs.next();
        handshake.readers.push(Reader::new(epoch + 1, keys(&self.theirs)?));
        // RFC 8446 §4.6.3: "If the request_update field is set to "update_requested", then the receiver MUST send a KeyUpdate of
        // its own with request_update set to "update_not_requested" prior to sending its next Application Data record."
        // In DTLS that is before the next after the acknowledgement. Several requests, of which none was answered yet, are
        // answered by one: they cost no more than one KeyUpdate a round trip.
        if update.is_requested && !self.is_updating() {
            self.update(false, handshake);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Established {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Established").field("role", &self.role).field("update", &self.update).finish_non_exhaustive()
    }
}

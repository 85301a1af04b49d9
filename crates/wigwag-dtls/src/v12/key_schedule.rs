//! From a shared secret to keys (RFC 5246 §6.3, §8.1, RFC 7627 §4, RFC 5705 §4).

use crate::Role;
use crate::crypto::aead::{Aead, KEY_LEN, SALT_LEN};
use crate::crypto::prf::prf;
use crate::error::Error;
use crate::handshake::exporter;
use crate::handshake::hello::Random;
use crate::message::VERIFY_DATA_LEN;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const MASTER_SECRET_LEN: usize = 48;

/// The master secret and the randoms, from which all keys are made. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Secrets {
    master_secret: [u8; MASTER_SECRET_LEN],
    client_random: Random,
    server_random: Random,
}

impl Secrets {
    /// RFC 7627 §4: "master_secret = PRF(pre_master_secret, "extended master secret", session_hash) [0..47];"
    pub(crate) fn new(
        pre_master_secret: &[u8],
        session_hash: &[u8],
        client_random: Random,
        server_random: Random,
    ) -> Self {
        let mut master_secret = [0; MASTER_SECRET_LEN];
        prf(pre_master_secret, b"extended master secret", &[session_hash], &mut master_secret);
        Self { master_secret, client_random, server_random }
    }

    /// What protects the records that `writer` writes.
    ///
    /// RFC 5246 §6.3: "key_block = PRF(SecurityParameters.master_secret, "key expansion",
    /// SecurityParameters.server_random + SecurityParameters.client_random);" of which an AEAD takes client_write_key,
    /// server_write_key, client_write_IV, server_write_IV.
    pub(crate) fn aead(&self, writer: Role) -> Aead {
        let mut block = Zeroizing::new([0; 2 * (KEY_LEN + SALT_LEN)]);
        prf(&self.master_secret, b"key expansion", &[&self.server_random, &self.client_random], &mut *block);
        let place = match writer {
            Role::Client => 0,
            Role::Server => 1,
        };
        Aead::new(&Zeroizing::new(part(&*block, place * KEY_LEN)), part(&*block, 2 * KEY_LEN + place * SALT_LEN))
    }

    /// RFC 5246 §7.4.9: "verify_data PRF(master_secret, finished_label, Hash(handshake_messages))
    /// [0..verify_data_length-1];"
    pub(crate) fn verify_data(&self, sender: Role, transcript_hash: &[u8]) -> [u8; VERIFY_DATA_LEN] {
        let label: &[u8] = match sender {
            Role::Client => b"client finished",
            Role::Server => b"server finished",
        };
        let mut verify_data = [0; VERIFY_DATA_LEN];
        prf(&self.master_secret, label, &[transcript_hash], &mut verify_data);
        verify_data
    }

    /// RFC 5705 §4: "PRF(SecurityParameters.master_secret, label, SecurityParameters.client_random +
    /// SecurityParameters.server_random + context_value_length + context_value)[length]".
    pub(crate) fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        let len = exporter::check(label, context)?;
        let len = len.as_ref().map_or(&[][..], |len| len);
        let seed = [&self.client_random, &self.server_random, len, context.unwrap_or_default()];
        prf(&self.master_secret, label.as_bytes(), &seed, out);
        Ok(())
    }

    /// The line of a key log that lets a packet analyser read this connection.
    pub(crate) fn key_log_line(&self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("CLIENT_RANDOM {} {}", hex(&self.client_random), hex(&self.master_secret))
    }
}

/// `N` bytes of the key block, which is long enough.
fn part<const N: usize>(block: &[u8], start: usize) -> [u8; N] {
    debug_assert!(start + N <= block.len());
    std::array::from_fn(|i| block.get(start + i).copied().unwrap_or_default())
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

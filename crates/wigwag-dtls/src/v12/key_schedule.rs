//! From a shared secret to keys (RFC 5246 §6.3, §8.1, RFC 7627 §4, RFC 5705 §4).

use crate::crypto::aead::Aead;
use crate::crypto::prf::prf;
use crate::error::Error;
use crate::handshake::exporter;
use crate::handshake::hello::Random;
use crate::handshake::transcript::Transcript;
use crate::message::VERIFY_DATA_LEN;
use crate::{CipherSuite, Role};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const MASTER_SECRET_LEN: usize = 48;

/// What the hellos have settled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hellos {
    pub(crate) cipher_suite: CipherSuite,
    pub(crate) client_random: Random,
    pub(crate) server_random: Random,
}

/// The master secret, and what keys are made of beside it. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Secrets {
    master_secret: [u8; MASTER_SECRET_LEN],
    key_block: Vec<u8>,
    #[zeroize(skip)]
    hellos: Hellos,
}

impl Secrets {
    /// RFC 7627 §4: "master_secret = PRF(pre_master_secret, "extended master secret", session_hash) [0..47];"
    ///
    /// RFC 5246 §6.3: "key_block = PRF(SecurityParameters.master_secret, "key expansion",
    /// SecurityParameters.server_random + SecurityParameters.client_random);"
    pub(crate) fn new(pre_master_secret: &[u8], session_hash: &[u8], hellos: Hellos) -> Self {
        let suite = hellos.cipher_suite;
        let key_block = vec![0; 2 * (suite.key_len() + suite.iv_len())];
        let mut secrets = Self { master_secret: [0; MASTER_SECRET_LEN], key_block, hellos };
        let Self { master_secret, key_block, hellos: Hellos { client_random, server_random, .. } } = &mut secrets;
        prf(suite.hash(), pre_master_secret, b"extended master secret", &[session_hash], master_secret);
        prf(suite.hash(), master_secret, b"key expansion", &[&*server_random, &*client_random], key_block);
        secrets
    }

    fn prf(&self, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        prf(self.hellos.cipher_suite.hash(), &self.master_secret, label, seed, out);
    }

    /// What protects the records that `writer` writes.
    ///
    /// RFC 5246 §6.3: the key_block is cut into client_write_key, server_write_key, client_write_IV, server_write_IV, as far as an
    /// AEAD takes them.
    pub(crate) fn aead(&self, writer: Role) -> Option<Aead> {
        let suite = self.hellos.cipher_suite;
        let (key_len, iv_len) = (suite.key_len(), suite.iv_len());
        let place = match writer {
            Role::Client => 0,
            Role::Server => 1,
        };
        let part = |start: usize, len: usize| self.key_block.get(start..start + len);
        Aead::new(suite, part(place * key_len, key_len)?, part(2 * key_len + place * iv_len, iv_len)?)
    }

    /// RFC 5246 §7.4.9: "verify_data PRF(master_secret, finished_label, Hash(handshake_messages))
    /// [0..verify_data_length-1];"
    pub(crate) fn verify_data(&self, sender: Role, transcript: &Transcript) -> [u8; VERIFY_DATA_LEN] {
        let label: &[u8] = match sender {
            Role::Client => b"client finished",
            Role::Server => b"server finished",
        };
        let mut verify_data = [0; VERIFY_DATA_LEN];
        self.prf(label, &[&transcript.hash(self.hellos.cipher_suite.hash())], &mut verify_data);
        verify_data
    }

    /// RFC 5705 §4: "PRF(SecurityParameters.master_secret, label, SecurityParameters.client_random +
    /// SecurityParameters.server_random + context_value_length + context_value)[length]".
    pub(crate) fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        let len = exporter::check(label, context)?;
        let len = len.as_ref().map_or(&[][..], |len| len);
        let seed = [&self.hellos.client_random, &self.hellos.server_random, len, context.unwrap_or_default()];
        self.prf(label.as_bytes(), &seed, out);
        Ok(())
    }

    /// The line of a key log that lets a packet analyser read this connection.
    pub(crate) fn key_log_line(&self) -> Zeroizing<String> {
        let hex = [&self.hellos.client_random[..], &self.master_secret].map(|bytes| {
            let mut hex = Zeroizing::new(String::with_capacity(2 * bytes.len()));
            bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xF]).for_each(|nibble| {
                hex.extend(char::from_digit(nibble.into(), 16));
            });
            hex
        });
        let [random, secret] = &hex;
        Zeroizing::new(format!("CLIENT_RANDOM {} {}", **random, **secret))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

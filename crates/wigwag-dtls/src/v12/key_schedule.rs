//! From a shared secret to keys (RFC 5246 §6.3, §8.1, RFC 7627 §4, RFC 5705 §4).

use crate::crypto::aead::Aead;
use crate::crypto::prf::Prf;
use crate::error::Error;
use crate::handshake::exporter;
use crate::handshake::hello::Random;
use crate::handshake::transcript::Transcript;
use crate::message::VERIFY_DATA_LEN;
use crate::{CipherSuite, Role};
use std::fmt;
use zeroize::Zeroizing;

const MASTER_SECRET_LEN: usize = 48;

/// What the hellos have settled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hellos {
    pub(crate) cipher_suite: CipherSuite,
    pub(crate) client_random: Random,
    pub(crate) server_random: Random,
}

/// The master secret, and what keys are made of beside it. Wiped when dropped.
pub(crate) struct Secrets {
    master_secret: Zeroizing<[u8; MASTER_SECRET_LEN]>,
    prf: Prf,
    key_block: Zeroizing<Vec<u8>>,
    hellos: Hellos,
}

impl Secrets {
    /// RFC 7627 §4: "master_secret = PRF(pre_master_secret, "extended master secret", session_hash) [0..47];"
    ///
    /// RFC 5246 §6.3: "key_block = PRF(SecurityParameters.master_secret, "key expansion",
    /// SecurityParameters.server_random + SecurityParameters.client_random);"
    pub(crate) fn new(pre_master_secret: &[u8], session_hash: &[u8], hellos: Hellos) -> Self {
        let suite = hellos.cipher_suite;
        let mut master_secret = Zeroizing::new([0; MASTER_SECRET_LEN]);
        let mut key_block = Zeroizing::new(vec![0; 2 * (suite.key_len() + suite.iv_len())]);
        let before = Prf::new(suite.hash(), pre_master_secret);
        before.fill(b"extended master secret", &[session_hash], &mut *master_secret);
        let prf = Prf::new(suite.hash(), &*master_secret);
        prf.fill(b"key expansion", &[&hellos.server_random, &hellos.client_random], &mut key_block);
        Self { master_secret, prf, key_block, hellos }
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
        self.prf.fill(label, &[&transcript.hash(self.prf.hash())], &mut verify_data);
        verify_data
    }

    /// RFC 5705 §4: "PRF(SecurityParameters.master_secret, label, SecurityParameters.client_random +
    /// SecurityParameters.server_random + context_value_length + context_value)[length]".
    pub(crate) fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        let len = exporter::check(label, context)?;
        let len = len.as_ref().map_or(&[][..], |len| len);
        let seed = [&self.hellos.client_random, &self.hellos.server_random, len, context.unwrap_or_default()];
        self.prf.fill(label.as_bytes(), &seed, out);
        Ok(())
    }

    /// The line of a key log that lets a packet analyser read this connection.
    pub(crate) fn key_log_line(&self) -> Zeroizing<String> {
        let hex = [&self.hellos.client_random[..], &*self.master_secret].map(|bytes| {
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

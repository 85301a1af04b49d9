#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::dtls_fingerprint`.

wigwag_fuzz::target!(dtls_fingerprint);

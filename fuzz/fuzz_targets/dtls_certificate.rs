#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::dtls_certificate`.

wigwag_fuzz::target!(dtls_certificate);

#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::dtls_13_connection`.

wigwag_fuzz::target!(dtls_13_connection);

#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::sctp_init`.

wigwag_fuzz::target!(sctp_init);

#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::sctp_tuned`.

wigwag_fuzz::target!(sctp_tuned);

#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::sctp_interleaved`.

wigwag_fuzz::target!(sctp_interleaved);

#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::sctp_association`.

wigwag_fuzz::target!(sctp_association);

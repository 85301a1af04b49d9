#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::sctp_migration`.

wigwag_fuzz::target!(sctp_migration);

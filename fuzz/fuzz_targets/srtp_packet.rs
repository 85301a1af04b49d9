#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::srtp_packet`.

wigwag_fuzz::target!(srtp_packet);

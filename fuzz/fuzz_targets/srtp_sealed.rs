#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::srtp_sealed`.

wigwag_fuzz::target!(srtp_sealed);

#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::rtp_av1`.

wigwag_fuzz::target!(rtp_av1);

#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::rtp_vp8`.

wigwag_fuzz::target!(rtp_vp8);

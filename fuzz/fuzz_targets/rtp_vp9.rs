#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::rtp_vp9`.

wigwag_fuzz::target!(rtp_vp9);

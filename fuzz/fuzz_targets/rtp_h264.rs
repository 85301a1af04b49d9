#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::rtp_h264`.

wigwag_fuzz::target!(rtp_h264);

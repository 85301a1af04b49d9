#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::rtp_frames`.

wigwag_fuzz::target!(rtp_frames);

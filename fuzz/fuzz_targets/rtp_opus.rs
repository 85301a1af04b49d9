#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::rtp_opus`.

wigwag_fuzz::target!(rtp_opus);

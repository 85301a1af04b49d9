#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::rtp_telephone_event`.

wigwag_fuzz::target!(rtp_telephone_event);

#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::rtp_layers_allocation`.

wigwag_fuzz::target!(rtp_layers_allocation);

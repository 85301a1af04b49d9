#![cfg_attr(fuzzing, no_main)]
//! See `wigwag_fuzz::stun_sealed`.

wigwag_fuzz::target!(stun_sealed);

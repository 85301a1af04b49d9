//! A dictionary of webrtc-stats as a type: its members' names stand beside its fields, once.

/// Defines a dictionary with the members of W3C `RTCStats` and its own.
macro_rules! dictionary {
    ($(#[$doc:meta])* $name:ident: $kind:literal {
        $($(#[$member_doc:meta])* $member:ident: $value:ty = $w3c:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            /// Names this object in its report, and in later ones.
            pub id: String,
            /// When what it says was true.
            pub timestamp: crate::stats::Timestamp,
            $($(#[$member_doc])* pub $member: $value,)*
        }

        impl $name {
            /// W3C `RTCStatsType`.
            pub const TYPE: &'static str = $kind;

            /// W3C's names of its members, besides `id`, `timestamp` and `type`.
            pub const MEMBERS: &'static [&'static str] = &[$($w3c),*];

            /// Appends the object; what is not known is left out.
            pub(super) fn write_json(&self, out: &mut String) {
                crate::stats::report::write_object(
                    out,
                    &[
                        ("id", &self.id as &dyn crate::stats::json::Member),
                        ("timestamp", &self.timestamp),
                        ("type", &Self::TYPE),
                        $(($w3c, &self.$member),)*
                    ],
                );
            }
        }
    };
}
pub(super) use dictionary;

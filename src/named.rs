//! A closed list of names, drawn once: wire name, Chinese text, JSON text, and one column more where each entry
//! has a property that must not be forgotten. No meaning of its own.

/// An entry of a closed list.
pub trait Named: Copy + PartialEq + Sized + 'static {
    /// Every entry, in the order of the list.
    const ALL: &'static [Self];

    /// The name on the wire, in JSON and in the database: stable.
    fn wire(self) -> &'static str;

    /// What a person reads.
    fn zh(self) -> &'static str;

    /// Reads the wire name.
    #[must_use]
    fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|entry| entry.wire() == text)
    }
}

/// Who may read that something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Whoever may read the matter.
    Everybody,
    /// The police among themselves.
    Police,
}

/// What is done to a matter, as its history keeps it.
pub trait Recorded: Named {
    /// Who may read that it was done.
    fn readers(self) -> Readers;
}

/// Draws an enum whose entries have a stable wire name (also their JSON text) and a Chinese text. A list may
/// have a column more: `Name, kind: Kind { Entry = "WIRE", "中文", Column; }`; with `readers: Readers` its
/// entries are what is done to a matter.
macro_rules! named {
    (@list $(#[$doc:meta])* $name:ident {
        $($(#[$note:meta])* $variant:ident = $wire:literal, $zh:literal;)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$note])* $variant,)+ }

        impl $name {
            /// Every entry, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name on the wire, in JSON and in the database: stable.
            #[must_use]
            pub const fn wire(self) -> &'static str {
                match self { $(Self::$variant => $wire,)+ }
            }

            /// What a person reads.
            #[must_use]
            pub const fn zh(self) -> &'static str {
                match self { $(Self::$variant => $zh,)+ }
            }

            /// Reads the wire name.
            #[must_use]
            pub fn from_wire(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|entry| entry.wire() == text)
            }
        }

        impl crate::named::Named for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn wire(self) -> &'static str {
                Self::wire(self)
            }

            fn zh(self) -> &'static str {
                Self::zh(self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.wire())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                Self::from_wire(&text)
                    .ok_or_else(|| serde::de::Error::unknown_variant(&text, &[$($wire,)+]))
            }
        }
    };
    (@column readers Readers $name:ident { $($variant:ident $value:ident;)+ }) => {
        impl crate::named::Recorded for $name {
            fn readers(self) -> crate::named::Readers {
                match self { $(Self::$variant => crate::named::Readers::$value,)+ }
            }
        }
    };
    (@column $fact:ident $type:ident $name:ident { $($variant:ident $value:ident;)+ }) => {
        impl $name {
            #[doc = concat!("Its ", stringify!($fact), ".")]
            #[must_use]
            pub const fn $fact(self) -> $type {
                match self { $(Self::$variant => $type::$value,)+ }
            }
        }
    };
    ($(#[$doc:meta])* $name:ident {
        $($(#[$note:meta])* $variant:ident = $wire:literal, $zh:literal;)+
    }) => {
        named!(@list $(#[$doc])* $name { $($(#[$note])* $variant = $wire, $zh;)+ });
    };
    ($(#[$doc:meta])* $name:ident, $fact:ident: $type:ident {
        $($(#[$note:meta])* $variant:ident = $wire:literal, $zh:literal, $value:ident;)+
    }) => {
        named!(@list $(#[$doc])* $name { $($(#[$note])* $variant = $wire, $zh;)+ });
        named!(@column $fact $type $name { $($variant $value;)+ });
    };
}

pub(crate) use named;

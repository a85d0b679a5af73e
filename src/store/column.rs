//! What a column holds, by its type: a word of a closed list, a code, a step of the ladder. Which column holds
//! what stands once, in `migrations/sqlx.toml`, and every statement that reads the column reads the type.

use std::{any::type_name, fmt};

use sqlx::{
    Decode, Postgres, Type,
    error::BoxDynError,
    postgres::{PgTypeInfo, PgValueRef},
};

use crate::{
    crypto::Suite,
    domain::{
        codes::{
            DocumentKind, Energy, Plate, PlateType, PoliceNumber, UseNature, VehicleStates,
            VehicleType, Vin,
        },
        common::{
            evaluation::{EvaluationState, Satisfaction},
            notice::{Language, NoticeEvent},
            number::ComplaintNumber,
        },
        complaint::{
            self, Category, ComplaintState, Field,
            meeting::{MeetingState, PointState},
        },
        conduct::{DutyKind, Finding, ReportState},
        duty::escalation::Level,
        enterprise::{
            EnterpriseRefusal, EnterpriseState,
            attachment::ContentType,
            contest::{ContestState, VehicleRuling},
        },
        identity::{
            proposal::{Act, ProposalState},
            signing_key,
        },
        liaison::{
            BindingSource, PostMode, booking::BookingState, conversation::ConversationState,
            message::MessageKind, problem::ProblemState,
        },
        pass::{
            PassRevocationReason, PassState,
            application::{ApplicationState, Purpose, SourceChannel},
            policy::{EnterpriseClass, PassKind, Relation},
        },
    },
    error::Error,
};

/// A row that is put together by hand, and holds what nobody can have written there.
pub fn unreadable(table: &str, column: &str, id: impl fmt::Display) -> Error {
    Error::internal(format!("{table}.{column} of {id} cannot be read"))
}

/// A column of this type holds something else. Not what: it may be somebody's.
fn unknown<T>() -> BoxDynError {
    format!("it holds no {}", type_name::<T>()).into()
}

/// Types that are read from the text of a column: closed lists by their words, codes by their parsers.
macro_rules! texts {
    ($($read:ident: $($of:ty),+;)+) => {$($(
        impl Type<Postgres> for $of {
            fn type_info() -> PgTypeInfo {
                <&str as Type<Postgres>>::type_info()
            }
        }

        impl Decode<'_, Postgres> for $of {
            fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
                let read = Self::$read(value.as_str()?);
                read.into_iter().next().ok_or_else(unknown::<Self>)
            }
        }
    )+)+};
}

texts! {
    from_wire:
        Act, ApplicationState, BindingSource, BookingState, Category, complaint::Channel,
        ComplaintState, ContentType, ContestState, ConversationState, DocumentKind, DutyKind,
        EnterpriseClass, EnterpriseRefusal, EnterpriseState, EvaluationState, Field, Finding,
        Language, MeetingState, MessageKind, NoticeEvent, PassKind, PassRevocationReason,
        PassState, PointState, PostMode, ProblemState, ProposalState, Purpose, Relation,
        ReportState, Satisfaction, signing_key::Purpose, SourceChannel, Suite, VehicleRuling;
    parse:
        ComplaintNumber, Energy, Plate, PlateType, PoliceNumber, UseNature, VehicleStates,
        VehicleType, Vin;
}

impl Type<Postgres> for Level {
    fn type_info() -> PgTypeInfo {
        <i32 as Type<Postgres>>::type_info()
    }
}

impl Decode<'_, Postgres> for Level {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let rank = <i32 as Decode<Postgres>>::decode(value)?;
        Self::ranked(rank).ok_or_else(unknown::<Self>)
    }
}

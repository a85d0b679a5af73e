//! Frames and their two forms, binary and JSON; a status as a frame. No call is made here.

use std::time::Duration;

use axum::extract::ws::Message;
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::json;
use crate::{
    error::{Error, Flaw},
    service::pb::{self, client_frame::Call},
};

/// The longest id of a frame.
const ID_BYTES_MAX: usize = 64;
const CLIENT_FRAME: &str = "jingqi.v1.ClientFrame";
const SERVER_FRAME: &str = "jingqi.v1.ServerFrame";

/// How messages are written on a line; the subprotocol names it, and the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One binary frame is one message.
    Proto,
    /// One text frame is one message.
    Json,
}

impl Form {
    /// Every form; the first that the client knows is taken.
    pub const ALL: [Self; 2] = [Self::Proto, Self::Json];

    /// The subprotocol.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Proto => "jingqi.v1+proto",
            Self::Json => "jingqi.v1+json",
        }
    }

    /// The form of a subprotocol.
    pub fn of(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.subprotocol().as_bytes() == name)
    }

    /// Reads what a client sent: its id and its call; or the id, as far as it can be known, and why
    /// there is no call.
    pub fn read(self, message: &Message) -> Result<(String, Call), (String, Error)> {
        let read = match (self, message) {
            (Self::Proto, Message::Binary(bytes)) => {
                pb::ClientFrame::decode(bytes.clone()).map_err(|_| String::new())
            }
            (Self::Json, Message::Text(text)) => {
                json::read(CLIENT_FRAME, text).ok_or_else(|| json::id(text).unwrap_or_default())
            }
            _ => Err(String::new()),
        };
        let frame = read.map_err(|id| {
            let id = if id.len() > ID_BYTES_MAX { String::new() } else { id };
            (id, Error::field("frame", Flaw::FrameMalformed))
        })?;
        if frame.id.len() > ID_BYTES_MAX {
            return Err((String::new(), Error::field("id", Flaw::TooLong)));
        }
        match frame.call {
            Some(call) => Ok((frame.id, call)),
            None => Err((frame.id, Error::field("call", Flaw::Required))),
        }
    }

    /// Writes what the server sends.
    pub fn write(self, frame: &pb::ServerFrame) -> Message {
        match self {
            Self::Proto => Message::Binary(frame.encode_to_vec().into()),
            // Only a descriptor set of another build would have no such message.
            Self::Json => Message::text(json::write(SERVER_FRAME, frame).unwrap_or_default()),
        }
    }
}

/// What a status says, for a client that knows no gRPC.
pub fn failure(status: &Status) -> pb::Failure {
    let details = status.get_error_details();
    let told = details.localized_message().map(|told| told.message.clone());
    let (reason, facts) = details
        .error_info()
        .map(|info| (info.reason.clone(), info.metadata.clone()))
        .unwrap_or_default();
    let fields = details.bad_request().map(|bad| bad.field_violations.as_slice());
    let fields = fields.unwrap_or_default().iter().map(|field| pb::FieldFailure {
        path: field.field.clone(),
        reason: field.reason.clone(),
        text: field.description.clone(),
    });
    pb::Failure {
        code: code(status.code()).to_owned(),
        reason,
        text: told.unwrap_or_else(|| status.message().to_owned()),
        fields: fields.collect(),
        facts,
        retry_after: details.retry_info().and_then(|retry| retry.retry_delay).map(duration),
    }
}

fn duration(wait: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(wait.subsec_nanos()).unwrap_or_default(),
    }
}

/// The name of a code as google.rpc.Code has it.
const fn code(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

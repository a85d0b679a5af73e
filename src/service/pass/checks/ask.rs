//! What a device or an officer asks, read from the wire with every fault at once. Nothing is looked
//! up here.

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::{
    actor::Actor,
    context::Cx,
    domain::{
        codes::Plate,
        common::number::PassNumber,
        pass::{check::SeenBy, pass_code},
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{
        pb::{self, check_pass_request::Observed as Wire, pass_check::Direction},
        wire,
    },
    store::Once,
};

/// A longer text is refused unread; a code of ours has a quarter of it.
const CODE_BYTES_MAX: usize = 2_048;

/// By what the truck was identified.
pub(super) enum Observed {
    /// The text of a scanned code as it was meant, not believed yet.
    Code(String),
    /// A plate.
    Plate(Plate),
    /// A typed pass number, whose check character is right.
    Number(PassNumber),
}

/// A question that was well put.
pub(super) struct Ask {
    /// The check that it becomes.
    pub(super) id: Id<kind::PassCheck>,
    pub(super) observed: Observed,
    pub(super) checkpoint: Id<kind::Checkpoint>,
    pub(super) direction: Direction,
    /// The plate of the vehicle in front.
    pub(super) observed_plate: Option<Plate>,
    /// How the truck was identified, for the record.
    pub(super) seen_by: SeenBy,
    /// The device's own id of the scan; a random one where it gave none.
    pub(super) once: Once,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

impl Ask {
    /// Reads a request.
    pub(super) fn parse(cx: &Cx, request: &pb::CheckPassRequest) -> Result<Self> {
        let mut faults = Faults::new();
        let observed = observed(request.observed.as_ref(), &mut faults);
        let checkpoint = match (&cx.actor, request.checkpoint.as_str()) {
            (Actor::Device { checkpoint, .. }, "") => Some(*checkpoint),
            (_, name) => faults.take("checkpoint", Id::parse(name)),
        };
        let direction = Direction::try_from(request.direction).map_err(|_| Flaw::UnknownValue);
        let direction = faults.take("direction", direction);
        let observed_plate = match request.observed_plate_number.as_str() {
            "" => None,
            text => faults.take("observed_plate_number", Plate::parse(text)),
        };
        let plate_source = match request.plate_source.as_str() {
            "" | "TYPED" => Ok(SeenBy::PlateTyped),
            "CAMERA" => Ok(SeenBy::PlateCamera),
            _ => Err(Flaw::UnknownValue),
        };
        let plate_source = faults.take("plate_source", plate_source);
        let (latitude, longitude) = (request.latitude, request.longitude);
        let in_world = |degrees: f64, most: f64| (-most..=most).contains(&degrees);
        faults.check(in_world(latitude, 90.0), "latitude", Flaw::PositionInvalid);
        faults.check(in_world(longitude, 180.0), "longitude", Flaw::PositionInvalid);
        let once = match wire::once(&request.request_id, request) {
            Ok(Some(once)) => Some(once),
            Ok(None) => {
                let digest = Sha256::digest(request.encode_to_vec()).to_vec();
                Some(Once { request_id: cx.ids().random(), digest })
            }
            Err(_) => faults.take("request_id", Err(Flaw::RequestIdMalformed)),
        };
        faults.done()?;
        let parts = (observed, checkpoint, direction, plate_source, once);
        let (Some(observed), Some(checkpoint), Some(direction), Some(plate_source), Some(once)) =
            parts
        else {
            return Err(Error::new(Reason::RequestInvalid));
        };
        Ok(Self {
            id: cx.id(),
            seen_by: match observed {
                Observed::Code(_) => SeenBy::Code,
                Observed::Plate(_) => plate_source,
                Observed::Number(_) => SeenBy::PassNumber,
            },
            observed,
            checkpoint,
            direction,
            observed_plate,
            once,
            latitude,
            longitude,
        })
    }
}

fn observed(observed: Option<&Wire>, faults: &mut Faults) -> Option<Observed> {
    match observed {
        None => {
            faults.add("observed", Flaw::Required);
            None
        }
        Some(Wire::Code(text)) => {
            faults.check(text.len() <= CODE_BYTES_MAX, "code", Flaw::TooLong);
            let meant = pass_code::scanned(text.get(..CODE_BYTES_MAX).unwrap_or(text));
            faults.check(!meant.is_empty(), "code", Flaw::Required);
            Some(Observed::Code(meant))
        }
        Some(Wire::PlateNumber(text)) if text.is_empty() => {
            faults.add("plate_number", Flaw::Required);
            None
        }
        Some(Wire::PlateNumber(text)) => {
            faults.take("plate_number", Plate::parse(text)).map(Observed::Plate)
        }
        Some(Wire::PassNumber(text)) if text.is_empty() => {
            faults.add("pass_number", Flaw::Required);
            None
        }
        Some(Wire::PassNumber(text)) => {
            faults.take("pass_number", PassNumber::parse(text)).map(Observed::Number)
        }
    }
}

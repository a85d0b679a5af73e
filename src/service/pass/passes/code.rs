//! The code of a pass: signed claims as text, SVG and PNG. The only place that signs one (I6).

use uuid::Uuid;

use super::Passes;
use crate::{
    actor::{Actor, Matter},
    context::Cx,
    crypto::{self, Suite},
    domain::{
        codes::Plate,
        identity::signing_key::Purpose,
        pass::{
            Pass,
            pass_code::{self, CodeMode, CodeWindow, PassClaims, REFRESH_SECONDS, STALE_SECONDS},
            qr::QrPicture,
        },
    },
    error::{Error, Flaw, Result},
    service::{pb, wire},
    store::{
        self,
        common::world::{self, Snapshot},
    },
};

/// The size of a module in the PNG: 0.5 mm at 300 dots per inch.
const MODULE_PX: u32 = 6;

impl Passes {
    pub(super) async fn issue_pass_code(
        &self,
        cx: &Cx,
        request: pb::IssuePassCodeRequest,
    ) -> Result<pb::PassCode> {
        let id = wire::named(&request.name)?;
        let suite = match request.suite.as_str() {
            "" => Suite::Intl,
            name => {
                Suite::from_wire(name).ok_or_else(|| Error::field("suite", Flaw::UnknownValue))?
            }
        };
        let mode = match request.mode() {
            pb::pass_code::Mode::Printed => CodeMode::Printed,
            pb::pass_code::Mode::Dynamic | pb::pass_code::Mode::Unspecified => CodeMode::Dynamic,
        };
        let world = self.world.get(&self.store).await?;
        let mut connection = self.store.read().await?;
        let pass =
            store::pass::passes::get(&mut connection, id, &cx.scope_of(Matter::Pass)).await?;
        drop(connection);
        pass.refuse_code(cx.now)?;
        shown_to(cx, &pass)?;
        let text = self.sign(cx, &pass, suite, mode, &world)?;
        let picture = QrPicture::of(&text)?;
        let dynamic = mode == CodeMode::Dynamic;
        let later = |seconds: i64| {
            cx.now.checked_add(jiff::SignedDuration::from_secs(seconds)).ok().filter(|_| dynamic)
        };
        Ok(pb::PassCode {
            svg: picture.svg(),
            png: picture.png(MODULE_PX)?,
            qr_version: i32::from(picture.version()),
            mode: if dynamic {
                pb::pass_code::Mode::Dynamic.into()
            } else {
                pb::pass_code::Mode::Printed.into()
            },
            refresh_time: wire::time_of(later(REFRESH_SECONDS)),
            stale_time: wire::time_of(later(STALE_SECONDS)),
            text,
        })
    }

    /// Signs the claims of a pass with the newest key of the suite.
    fn sign(
        &self,
        cx: &Cx,
        pass: &Pass,
        suite: Suite,
        mode: CodeMode,
        world: &Snapshot,
    ) -> Result<String> {
        let key = world.signing_key(Purpose::PassCode, suite, cx.now)?;
        // A code never outlives the key that verifies it (QR-06).
        if pass.valid_until > key.verify_until {
            return Err(Error::internal("the pass outlives the key"));
        }
        let private = crypto::SigningKey::from_bytes(suite, &world::private_key(&self.store, key)?)
            .map_err(Error::internal)?;
        let claims = claims(pass, world, cx)?;
        pass_code::encode(&claims, mode, key.kid, &private).map_err(Error::internal)
    }
}

/// The read was within the scope: whoever acts for the enterprise in passes, or drives this vehicle.
/// An officer's scope is wider than those who may show a code.
fn shown_to(cx: &Cx, pass: &Pass) -> Result<()> {
    match cx.actor {
        Actor::Person { .. } => Ok(()),
        _ => Err(cx.scope().missing(pass.id.subject())),
    }
}

fn claims(pass: &Pass, world: &Snapshot, cx: &Cx) -> Result<PassClaims> {
    let code = |zone: &Uuid| {
        let known = world.zones.iter().find(|version| version.id.uuid() == *zone);
        known.map(|version| version.zone.code).ok_or_else(|| Error::internal("a zone is unknown"))
    };
    let stored = |flaw: Flaw| Error::internal(flaw.wire());
    Ok(PassClaims {
        pass: pass.id.uuid(),
        plate: Plate::parse(&pass.plate_number).map_err(stored)?.as_str().to_owned(),
        plate_type: pass.plate_type.clone(),
        kind: pass_code::kind(pass.kind),
        zones: pass.zones.iter().map(code).collect::<Result<_>>()?,
        windows: pass
            .windows
            .iter()
            .map(|window| CodeWindow {
                days: window.days,
                from_minute: window.from_minute,
                until_minute: window.until_minute,
            })
            .collect(),
        issued_at: cx.now.as_second(),
        not_before: pass.valid_from.as_second(),
        expires: pass.valid_until.as_second(),
    })
}

//! Devices: a one-time code lets one in, a revocation ends it everywhere at once.

use jiff::SignedDuration;

use super::{Organisation, ending};
use crate::{
    context::Cx,
    domain::identity::tenure::{End, Tenure},
    error::{Error, Result},
    id::{Id, kind},
    service::{
        pb,
        wire::{self, Page},
    },
    store::{
        identity::devices::{self, Device},
        pass::checkpoints,
    },
};

/// How long an enrolment code is good.
const CODE_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// The characters of a code: none that is mistaken for another; five bits each.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

impl Organisation {
    pub(super) async fn create_device_enrolment(
        &self,
        cx: &Cx,
        request: pb::CreateDeviceEnrolmentRequest,
    ) -> Result<pb::DeviceEnrolment> {
        let checkpoint = Id::<kind::Checkpoint>::parse(&request.checkpoint);
        let checkpoint = checkpoint.map_err(|flaw| Error::field("checkpoint", flaw))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let checkpoint = checkpoints::get(tx.conn(), checkpoint, &cx.scope()).await?.id;
            let bytes: [u8; 20] = cx.ids().bytes();
            let drawn = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 31)));
            let enrolment_code: String = drawn.map(|byte| char::from(*byte)).collect();
            let expire_time = cx.now.saturating_add(CODE_LIFETIME).unwrap_or(cx.now);
            devices::insert_enrolment(tx, &enrolment_code, checkpoint, expire_time).await?;
            let expire_time = Some(wire::time(expire_time));
            Ok(pb::DeviceEnrolment { enrolment_code, expire_time })
        })
        .await
    }

    pub(super) async fn list_devices(
        &self,
        cx: &Cx,
        request: pb::ListDevicesRequest,
    ) -> Result<pb::ListDevicesResponse> {
        let checkpoint = if request.checkpoint.is_empty() {
            None
        } else {
            let id = Id::<kind::Checkpoint>::parse(&request.checkpoint);
            Some(id.map_err(|flaw| Error::field("checkpoint", flaw))?)
        };
        let arguments = [cx.method, &request.checkpoint];
        let page = Page::of(&self.store, &request, &arguments)?;
        let mut connection = self.store.read().await?;
        let scope = cx.scope();
        let found = devices::list(&mut connection, checkpoint, &scope, page.after, page.rows());
        let mut found = found.await?;
        let next_page_token = page.cut(&mut found, |device| device.id.uuid());
        let listed = found.iter().map(reply).collect();
        Ok(pb::ListDevicesResponse { devices: listed, next_page_token })
    }

    pub(super) async fn revoke_device(
        &self,
        cx: &Cx,
        request: pb::RevokeDeviceRequest,
    ) -> Result<pb::Device> {
        let (id, reason) = ending(&request.name, &request.reason)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let device = devices::lock(tx, id, &cx.scope()).await?;
            let tenure = Tenure::of(device.revoke_time.is_some());
            let ended = tenure.end(device, End::Revoke, reason, cx)?;
            let ended = devices::save(tx, ended).await?;
            Ok(reply(&ended))
        })
        .await
    }
}

fn reply(device: &Device) -> pb::Device {
    pb::Device {
        name: device.id.to_string(),
        checkpoint: device.checkpoint.to_string(),
        model: device.model.clone(),
        software_version: device.software_version.clone(),
        create_time: Some(wire::time(device.create_time)),
        revoke_time: wire::time_of(device.revoke_time),
    }
}

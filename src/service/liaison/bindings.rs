//! Which enterprise a post serves: by the unit's grant, or by the officer's code that the enterprise
//! confirms (一键添加).

use jiff::Timestamp;

use super::Liaison;
use crate::{
    actor::{Item, Matter},
    context::Cx,
    crypto::{self, SigningKey, Suite, VerifyingKey, hex},
    domain::{
        codes::text,
        identity::signing_key::Purpose,
        liaison::{BindingCode, BindingSource, CODE_LIFE},
        pass::qr::QrPicture,
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{
        pb,
        wire::{self, Page},
    },
    store::{
        self,
        common::world,
        liaison::{
            bindings::{self, Binding},
            liaison_posts,
        },
    },
};

/// What stands before the state of a contact way, where a code could stand.
const STATE_PREFIX: &str = "WC1:";
/// The bytes of such a state; WeCom takes 30 characters.
const STATE_BYTES: usize = 15;
/// The size of a module in the PNG.
const MODULE_PX: u32 = 6;

impl Liaison {
    pub(super) async fn grant_liaison_binding(
        &self,
        cx: &Cx,
        request: pb::GrantLiaisonBindingRequest,
    ) -> Result<pb::LiaisonBinding> {
        cx.actor.sworn()?;
        let mut faults = Faults::new();
        let post = faults.take("liaison_post", Id::parse(&request.liaison_post));
        let enterprise = faults.take("enterprise", Id::parse(&request.enterprise));
        let (post, enterprise) = faults.whole((post, enterprise))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let post = liaison_posts::lock(tx, post, &cx.scope_of(Matter::Post)).await?;
            let enterprise =
                store::enterprise::enterprises::lock(tx, enterprise, &cx.scope_of(Matter::Care))
                    .await?;
            let binding = begun(cx, enterprise.id, post.id, BindingSource::Grant);
            bindings::bind(tx, &binding, None).await?;
            Ok(reply(&binding))
        })
        .await
    }

    pub(super) async fn issue_binding_code(
        &self,
        cx: &Cx,
        request: pb::IssueBindingCodeRequest,
    ) -> Result<pb::BindingCode> {
        let officer = cx.actor.sworn()?.officer;
        let id = Id::parse(&request.liaison_post);
        let id: Id<kind::LiaisonPost> = id.map_err(|flaw| Error::field("liaison_post", flaw))?;
        let mut connection = self.store.read().await?;
        let roster = liaison_posts::roster(&mut connection, self.store.vault(), id).await?;
        drop(connection);
        if !roster.iter().any(|entry| entry.officer == officer) {
            return Err(cx.scope().missing(id.subject()));
        }
        let expire_time = cx.now.saturating_add(CODE_LIFE).unwrap_or(Timestamp::MAX);
        let code = BindingCode { id: cx.ids().random(), post: id, officer, expire_time };
        let world = self.world.get(&self.store).await?;
        let key = world.signing_key(Purpose::Record, Suite::Intl, cx.now)?;
        let private = world::private_key(&self.store, key)?;
        let signer = SigningKey::from_bytes(Suite::Intl, &private).map_err(Error::internal)?;
        let signature = signer.sign(&code.message()).map_err(Error::internal)?;
        let text = code.text(&signature);
        let picture = QrPicture::of(&text)?;
        Ok(pb::BindingCode {
            svg: picture.svg(),
            png: picture.png(MODULE_PX)?,
            text,
            expire_time: Some(wire::time(expire_time)),
        })
    }

    pub(super) async fn create_contact_way(
        &self,
        cx: &Cx,
        request: pb::CreateContactWayRequest,
    ) -> Result<pb::ContactWay> {
        cx.actor.sworn()?;
        let id = Id::parse(&request.liaison_post);
        let id: Id<kind::LiaisonPost> = id.map_err(|flaw| Error::field("liaison_post", flaw))?;
        let wecom = self.wecom.as_ref().ok_or_else(|| Error::new(Reason::RemoteUnavailable))?;
        let mut connection = self.store.read().await?;
        let post = liaison_posts::get(&mut connection, id, &cx.scope_of(Matter::Post)).await?;
        let roster = liaison_posts::roster(&mut connection, self.store.vault(), id).await?;
        drop(connection);
        // Members of the bureau's WeCom are known there by their police numbers.
        let members: Vec<String> = roster.into_iter().map(|entry| entry.police_number).collect();
        if members.is_empty() {
            return Err(Error::field("liaison_post", Flaw::Required));
        }
        let state = hex(&cx.ids().bytes::<STATE_BYTES>());
        // Nothing is locked while WeCom is asked (OP-08).
        let way = wecom.add_contact_way(&members, &post.display_name, &state).await?;
        let mut tx = self.store.begin(cx).await?;
        let digest = crypto::digest(Suite::Intl, state.as_bytes());
        liaison_posts::insert_contact_way(&mut tx, id, &way.config_id, &way.qr_code, &digest)
            .await?;
        tx.commit().await?;
        Ok(pb::ContactWay { config_id: way.config_id, qr_code: way.qr_code })
    }

    pub(super) async fn read_binding_code(
        &self,
        cx: &Cx,
        request: pb::ReadBindingCodeRequest,
    ) -> Result<pb::LiaisonPost> {
        let shown = self.shown(cx, &request.text).await?;
        let mut connection = self.store.read().await?;
        let post = liaison_posts::named(&mut connection, shown.post()).await?;
        let post = post.ok_or_else(|| Error::new(Reason::BindingCodeInvalid))?;
        self.reply(&mut connection, cx, &post).await
    }

    pub(super) async fn confirm_liaison_binding(
        &self,
        cx: &Cx,
        request: pb::ConfirmLiaisonBindingRequest,
    ) -> Result<pb::LiaisonBinding> {
        let enterprise = Id::parse(&request.enterprise);
        let enterprise: Id<kind::Enterprise> =
            enterprise.map_err(|flaw| Error::field("enterprise", flaw))?;
        if !cx.actor.acts_for(enterprise, Item::Liaison) {
            return Err(cx.scope().missing(enterprise.subject()));
        }
        // Read before the unit of work begins: inside it, this would be a second connection, and calls
        // that hold one each would wait for one more (I29). Refused after it: a repetition gets its
        // first answer, also when the code is out of time by then.
        let shown = self.shown(cx, &request.text).await;
        wire::write(&self.store, cx, &request, async |tx| {
            let shown = shown?;
            // Whoever shows a code must still be on the post.
            if let Shown::Code(code) = shown
                && liaison_posts::lock_seat(tx, code.post, code.officer).await?.is_none()
            {
                return Err(Error::new(Reason::BindingCodeInvalid));
            }
            let known = bindings::whereabouts(tx, enterprise)
                .await?
                .ok_or_else(|| cx.scope().missing(enterprise.subject()))?;
            if !known.state.proven() {
                return Err(Error::new(Reason::EnterpriseNotVerified));
            }
            let (source, once) = match shown {
                Shown::Code(code) => (BindingSource::Scan, Some(code.id)),
                Shown::ContactWay(_) => (BindingSource::Wecom, None),
            };
            let binding = begun(cx, enterprise, shown.post(), source);
            bindings::bind(tx, &binding, once).await?;
            Ok(reply(&binding))
        })
        .await
    }

    pub(super) async fn end_liaison_binding(
        &self,
        cx: &Cx,
        request: pb::EndLiaisonBindingRequest,
    ) -> Result<pb::LiaisonBinding> {
        let mut faults = Faults::new();
        let id = faults.name::<kind::LiaisonBinding>(&request.name);
        let reason = faults.take("reason", wire::text(&request.reason, 500));
        let (id, reason) = faults.whole((id, reason))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let binding = bindings::unbind(tx, id, &reason, &cx.scope_of(Matter::Post)).await?;
            Ok(reply(&binding))
        })
        .await
    }

    pub(super) async fn list_liaison_bindings(
        &self,
        cx: &Cx,
        request: pb::ListLiaisonBindingsRequest,
    ) -> Result<pb::ListLiaisonBindingsResponse> {
        let mut faults = Faults::new();
        let enterprise = (!request.enterprise.is_empty())
            .then(|| {
                let id = Id::<kind::Enterprise>::parse(&request.enterprise);
                faults.take("enterprise", id.map(Id::uuid))
            })
            .flatten();
        let post = (!request.liaison_post.is_empty())
            .then(|| {
                let id = Id::<kind::LiaisonPost>::parse(&request.liaison_post);
                faults.take("liaison_post", id.map(Id::uuid))
            })
            .flatten();
        faults.done()?;
        let arguments = [cx.method, &request.enterprise, &request.liaison_post];
        let page = Page::of(&self.store, &request, &arguments)?;
        let mut connection = self.store.read().await?;
        let mut found = bindings::list(
            &mut connection,
            enterprise,
            post,
            &cx.sight_of(Matter::Post),
            page.after,
            page.rows(),
        )
        .await?;
        let next_page_token = page.cut(&mut found, |binding| binding.id.uuid());
        let liaison_bindings = found.iter().map(reply).collect();
        Ok(pb::ListLiaisonBindingsResponse { liaison_bindings, next_page_token })
    }

    /// What an enterprise was shown: an officer's code, or the state of a contact way.
    async fn shown(&self, cx: &Cx, text: &str) -> Result<Shown> {
        let meant = text::meant(text);
        let Some(state) = meant.trim().strip_prefix(STATE_PREFIX) else {
            return Ok(Shown::Code(self.trusted(cx, text).await?));
        };
        let digest = crypto::digest(Suite::Intl, state.as_bytes());
        let mut connection = self.store.read().await?;
        let post = liaison_posts::contact_way(&mut connection, &digest).await?;
        post.map(Shown::ContactWay).ok_or_else(|| Error::new(Reason::BindingCodeInvalid))
    }

    /// A code that a key of ours signed, in its time.
    async fn trusted(&self, cx: &Cx, text: &str) -> Result<BindingCode> {
        let (code, signature) =
            BindingCode::parse(text).map_err(|flaw| Error::field("text", flaw))?;
        let world = self.world.get(&self.store).await?;
        let signed = world
            .keys
            .iter()
            .filter(|key| key.purpose == Purpose::Record && key.verifies_at(cx.now))
            .filter_map(|key| VerifyingKey::from_bytes(Suite::Intl, &key.public_key).ok())
            .any(|key| key.verify(&code.message(), &signature));
        if !signed || code.expire_time <= cx.now {
            return Err(Error::new(Reason::BindingCodeInvalid));
        }
        Ok(code)
    }
}

/// What an enterprise was shown.
#[derive(Debug, Clone, Copy)]
enum Shown {
    /// An officer's code.
    Code(BindingCode),
    /// The contact way of a post.
    ContactWay(Id<kind::LiaisonPost>),
}

impl Shown {
    const fn post(&self) -> Id<kind::LiaisonPost> {
        match self {
            Self::Code(code) => code.post,
            Self::ContactWay(post) => *post,
        }
    }
}

fn begun(
    cx: &Cx,
    enterprise: Id<kind::Enterprise>,
    post: Id<kind::LiaisonPost>,
    source: BindingSource,
) -> Binding {
    Binding { id: cx.id(), enterprise, post, source, create_time: cx.now, end_time: None }
}

fn reply(binding: &Binding) -> pb::LiaisonBinding {
    pb::LiaisonBinding {
        name: binding.id.to_string(),
        enterprise: binding.enterprise.to_string(),
        liaison_post: binding.post.to_string(),
        source: binding.source.wire().to_owned(),
        create_time: Some(wire::time(binding.create_time)),
        end_time: wire::time_of(binding.end_time),
    }
}

//! Refreshing, listing and ending sessions. What a refresh token brings is judged in the domain.

use super::{Identity, refresh};
use crate::{
    context::Cx,
    domain::identity::session::Refresh,
    error::{Error, Flaw, Reason, Result},
    service::{pb, wire},
    store::{
        Limit,
        identity::sessions::{self, EndReason, Owner, Session},
    },
};

impl Identity {
    pub(super) async fn refresh_session(
        &self,
        cx: &Cx,
        request: pb::RefreshSessionRequest,
    ) -> Result<pb::Tokens> {
        if request.refresh_token.is_empty() {
            return Err(Error::field("refresh_token", Flaw::Required));
        }
        let token = refresh::read(&self.refresh_key(), &request.refresh_token);
        let (id, generation) = token.ok_or_else(|| Error::new(Reason::TokenInvalid))?;
        let signer = self.signer(cx).await?;
        let mut tx = self.store.begin(cx).await?;
        let session = sessions::lock_family(&mut tx, id).await?;
        let session = session.ok_or_else(|| Error::new(Reason::SessionEnded))?;
        // To refresh is no call: a client does it by itself, also for a desk that was left.
        let idle = session.end_time.is_none() && sessions::is_idle(tx.conn(), id, cx.now).await?;
        if idle {
            sessions::end(&mut tx, session, EndReason::Idle).await?;
            tx.commit().await?;
            return Err(Error::new(Reason::SessionEnded));
        }
        let session = match session.family().judge(generation, cx.now) {
            Refresh::Successor => sessions::advance(&mut tx, session).await?,
            Refresh::SameSuccessor => session,
            Refresh::Over => return Err(Error::new(Reason::SessionEnded)),
            Refresh::Reuse => {
                sessions::end(&mut tx, session, EndReason::Reuse).await?;
                tx.commit().await?;
                return Err(Error::new(Reason::RefreshTokenReused));
            }
        };
        tx.commit().await?;
        self.tokens(cx, &signer, &session).await
    }

    pub(super) async fn list_sessions(
        &self,
        cx: &Cx,
        request: pb::ListSessionsRequest,
    ) -> Result<pb::ListSessionsResponse> {
        let owner = Owner::of(&cx.actor)?;
        let arguments = ["sessions", &owner.name()];
        let page = wire::Page::of(&self.store, &request, &arguments)?;
        let mut connection = self.store.read().await?;
        let mut rows =
            sessions::list_open(&mut connection, owner, cx.now, page.after, page.rows()).await?;
        let next_page_token = page.cut(&mut rows, |session| session.id.uuid());
        let sessions = rows.into_iter().map(|session| shown(cx, session)).collect();
        Ok(pb::ListSessionsResponse { sessions, next_page_token })
    }

    /// A repetition finds the session ended, and answers the same.
    pub(super) async fn revoke_session(
        &self,
        cx: &Cx,
        request: pb::RevokeSessionRequest,
    ) -> Result<pb::Session> {
        let owner = Owner::of(&cx.actor)?;
        let id = wire::named(&request.name)?;
        self.store.limits().count(Limit::Write, &owner.name()).await?;
        let mut tx = self.store.begin(cx).await?;
        let session = sessions::lock(&mut tx, id, owner).await?;
        let session = match session.end_time {
            None => sessions::end(&mut tx, session, EndReason::Owner).await?,
            Some(_) => session,
        };
        tx.commit().await?;
        Ok(shown(cx, session))
    }

    pub(super) async fn revoke_other_sessions(
        &self,
        cx: &Cx,
        _request: pb::RevokeOtherSessionsRequest,
    ) -> Result<pb::RevokeOtherSessionsResponse> {
        let owner = Owner::of(&cx.actor)?;
        self.store.limits().count(Limit::Write, &owner.name()).await?;
        let mut tx = self.store.begin(cx).await?;
        let own = cx.actor.session();
        let ended = sessions::end_others(&mut tx, owner, own, EndReason::Owner).await?;
        tx.commit().await?;
        let ended = i32::try_from(ended).map_err(Error::internal)?;
        Ok(pb::RevokeOtherSessionsResponse { ended })
    }
}

fn shown(cx: &Cx, session: Session) -> pb::Session {
    pb::Session {
        name: session.id.to_string(),
        create_time: Some(wire::time(session.create_time)),
        refresh_time: Some(wire::time(session.refresh_time)),
        expire_time: Some(wire::time(session.expire_time)),
        client: session.client,
        address: session.address,
        current: cx.actor.session() == Some(session.id),
        end_time: wire::time_of(session.end_time),
    }
}

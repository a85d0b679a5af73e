//! How persons and officers come in, and how an officer changes the password. Devices have a file
//! of their own.

use std::time::Duration;

use super::{
    Identity, account, client,
    coming_in::Door,
    password::{self, SensitiveText},
    required, totp,
};
use crate::{
    context::Cx,
    domain::{
        codes::{self, PoliceNumber},
        common::notice::NoticeEvent,
        identity::officer,
    },
    error::{Error, Faults, Flaw, Reason, Result},
    service::pb,
    store::{
        Limit, Tx,
        common::notices::accounts,
        identity::{
            credentials::{self, By, Credentials},
            enrolments, officers, persons,
            sessions::{self, EndReason, Owner},
        },
    },
};

/// Longer passwords are not hashed.
pub(super) const TYPED_BYTES_MAX: usize = 1_024;

impl Identity {
    pub(super) async fn sign_in_with_wechat(
        &self,
        cx: &Cx,
        request: pb::SignInWithWechatRequest,
    ) -> Result<pb::Tokens> {
        Box::pin(self.attempt(cx, Door::Citizens, self.try_wechat(cx, request))).await
    }

    async fn try_wechat(
        &self,
        cx: &Cx,
        request: pb::SignInWithWechatRequest,
    ) -> Result<pb::Tokens> {
        let mut faults = Faults::new();
        required(&mut faults, "login_code", &request.login_code);
        let client = client(&mut faults, &request.client);
        faults.done()?;
        let signer = self.signer(cx).await?;
        let known = self.wechat.code_to_session(&request.login_code).await?;
        let mut tx = self.store.begin(cx).await?;
        let person = persons::sign_in(&mut tx, &known.openid).await?;
        let session = sessions::insert(&mut tx, Owner::Person(person), &client).await?;
        tx.commit().await?;
        self.tokens(cx, &signer, &session).await
    }

    pub(super) async fn sign_in_officer(
        &self,
        cx: &Cx,
        request: pb::SignInOfficerRequest,
    ) -> Result<pb::Tokens> {
        Box::pin(self.attempt(cx, Door::Officers, self.try_officer(cx, request))).await
    }

    async fn try_officer(&self, cx: &Cx, request: pb::SignInOfficerRequest) -> Result<pb::Tokens> {
        let mut faults = Faults::new();
        let number = faults.take("police_number", PoliceNumber::parse(&request.police_number));
        required(&mut faults, "password", &request.password);
        let hashable = request.password.len() <= TYPED_BYTES_MAX;
        faults.check(hashable, "password", Flaw::TooLong);
        let totp_code = codes::one_time_code(&request.totp_code);
        required(&mut faults, "totp_code", &totp_code);
        let client = client(&mut faults, &request.client);
        let number = faults.whole(number)?;
        let typed = SensitiveText::new(request.password);
        let source = self.source(cx, &number).await?;
        self.store.limits().count(Limit::SignInAccount, &source).await?;
        self.store.limits().attempts().begin(&source, cx.now).await?;
        let signer = self.signer(cx).await?;
        let by = By::PoliceNumber(&number);
        let known = self.proved(by, &typed).await?;
        // From here on the row is held: of attempts at the same time each one counts.
        let mut tx = self.store.begin(cx).await?;
        let held = credentials::find(tx.conn(), self.store.vault(), by, true).await?;
        let held = held.ok_or_else(|| Error::new(Reason::CredentialsInvalid))?;
        let right = known.is_some_and(|hash| hash == held.password_hash);
        let step = totp::accepted_step(&held.totp_secret, &totp_code, cx.now, held.totp_step);
        let Some(step) = step.filter(|_| right) else { return Err(refuse(tx, cx, &held).await?) };
        // Told to the owner alone, who has shown both proofs.
        open_here(&mut tx, &held).await?;
        if held.closed {
            return Err(Error::new(Reason::AccountClosed));
        }
        let expired =
            held.password_expired || officer::password_expired(held.password_time, cx.now);
        credentials::save_success(&mut tx, held.id, step, expired).await?;
        let session = sessions::insert(&mut tx, Owner::Officer(held.id), &client).await?;
        tx.commit().await?;
        self.store.limits().attempts().held(&source).await;
        self.tokens(cx, &signer, &session).await
    }

    /// By what attempts are counted: account and source, existing or not, so that no stranger elsewhere locks
    /// an officer out, and nobody learns from a wait which numbers there are.
    async fn source(&self, cx: &Cx, number: &PoliceNumber) -> Result<String> {
        let mut connection = self.store.read().await?;
        let lifts = credentials::lifts(&mut connection, number).await?;
        Ok(format!("{} {lifts} {}", number.as_str(), cx.counted_address()))
    }

    /// The hash that the typed password fits, where it is the account's. No row is held meanwhile:
    /// a hash takes its time.
    async fn proved(&self, by: By<'_>, typed: &SensitiveText) -> Result<Option<String>> {
        let known = {
            let mut connection = self.store.read().await?;
            credentials::find(&mut connection, self.store.vault(), by, false).await?
        };
        let hash = known.map(|known| known.password_hash);
        let fits = password::verify(typed, hash.as_deref()).await?;
        Ok(hash.filter(|_| fits))
    }

    pub(super) async fn change_password(
        &self,
        cx: &Cx,
        request: pb::ChangePasswordRequest,
    ) -> Result<pb::Account> {
        let id = cx.actor.officer()?;
        self.store.limits().count(Limit::Write, &cx.actor.name()).await?;
        let mut faults = Faults::new();
        required(&mut faults, "old_password", &request.old_password);
        let hashable = request.old_password.len() <= TYPED_BYTES_MAX;
        faults.check(hashable, "old_password", Flaw::TooLong);
        let about = {
            let mut connection = self.store.read().await?;
            officers::known(&mut connection, self.store.vault(), id).await?
        };
        faults.take("new_password", officer::password(&request.new_password, &about));
        faults.done()?;
        let source = format!("{} {}", cx.actor.name(), cx.counted_address());
        self.store.limits().attempts().begin(&source, cx.now).await?;
        let typed = SensitiveText::new(request.old_password);
        let wanted = SensitiveText::new(request.new_password);
        let by = By::Own(id);
        let known = self.proved(by, &typed).await?;
        let mut tx = self.store.begin(cx).await?;
        let held = credentials::find(tx.conn(), self.store.vault(), by, true).await?;
        let held = held.ok_or_else(|| Error::new(Reason::SessionEnded))?;
        open_here(&mut tx, &held).await?;
        if known.is_none_or(|hash| hash != held.password_hash) {
            return Err(refuse(tx, cx, &held).await?);
        }
        drop(tx);
        self.store.limits().attempts().held(&source).await;
        if !officer::password_may_change(held.password_time, held.password_expired, cx.now) {
            return Err(Error::new(Reason::PasswordTooYoung));
        }
        let (hash, former) = unused_hash(cx, &wanted, &held).await?;
        let mut tx = self.store.begin(cx).await?;
        let again = credentials::find(tx.conn(), self.store.vault(), by, true).await?;
        if again.is_none_or(|again| again.password_hash != held.password_hash) {
            return Err(Error::new(Reason::Conflict));
        }
        let kept = former.get(..officer::PASSWORDS_REMEMBERED - 1).unwrap_or(&former);
        credentials::save_password(&mut tx, id, &hash, kept).await?;
        let own = cx.actor.session();
        sessions::end_others(&mut tx, Owner::Officer(id), own, EndReason::PasswordChanged).await?;
        let reply = account(tx.conn(), self.store.vault(), &cx.actor).await?;
        tx.commit().await?;
        Ok(reply)
    }
}

/// The hash of a password that was not used before, and the hashes of those that were, newest first.
pub(super) async fn unused_hash(
    cx: &Cx,
    wanted: &SensitiveText,
    held: &Credentials,
) -> Result<(String, Vec<String>)> {
    let former = former(held);
    for hash in &former {
        if password::verify(wanted, Some(hash)).await? {
            return Err(Error::field("new_password", Flaw::PasswordReused));
        }
    }
    Ok((password::hash(wanted, cx.ids().bytes()).await?, former))
}

/// The hashes that may not come back, newest first.
fn former(held: &Credentials) -> Vec<String> {
    let present = std::iter::once(&held.password_hash).filter(|hash| !hash.is_empty());
    let hashes = present.chain(&held.password_history).take(officer::PASSWORDS_REMEMBERED);
    hashes.cloned().collect()
}

/// How long the account is locked still.
fn locked(cx: &Cx, held: &Credentials) -> Option<Duration> {
    let until = held.locked_until.filter(|until| cx.now < *until)?;
    Some(Duration::try_from(until.duration_since(cx.now)).unwrap_or_default())
}

/// Refuses whoever asks while the account is locked, but from a source that it knows: what strangers do
/// elsewhere keeps nobody from the own desk.
async fn open_here(tx: &mut Tx, held: &Credentials) -> Result<()> {
    match locked(tx.cx(), held) {
        Some(wait) if !sessions::knows_source(tx, held.id).await? => {
            Err(Error::new(Reason::AccountLocked).retry_after(wait))
        }
        _ => Ok(()),
    }
}

/// Counts the failure although the call fails, and never tells which part was wrong, nor whether the
/// account is locked. A failure while it is does not make that longer.
async fn refuse(mut tx: Tx, cx: &Cx, held: &Credentials) -> Result<Error> {
    if locked(cx, held).is_some() {
        return Ok(Error::new(Reason::CredentialsInvalid));
    }
    let (failures, until) = officer::failed(held.failed_attempts, cx.now);
    credentials::save_failure(&mut tx, held.id, failures, until).await?;
    if failures == officer::FAILURES_TOLD {
        accounts::tell_security(&mut tx, held.id, NoticeEvent::AccountAttacked).await?;
    }
    if until.is_some() {
        accounts::tell_security(&mut tx, held.id, NoticeEvent::AccountLocked).await?;
        enrolments::tell(&mut tx, held.id, NoticeEvent::AccountLocked).await?;
    }
    tx.commit().await?;
    Ok(Error::new(Reason::CredentialsInvalid))
}

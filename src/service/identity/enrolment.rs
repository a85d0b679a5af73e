//! How an officer makes the own proofs, with the code that went to the own phone: nobody else sees them, least
//! of all who made the account. How a code comes to a phone is said elsewhere.

use super::{
    Identity, client,
    password::SensitiveText,
    required,
    sign_in::{TYPED_BYTES_MAX, unused_hash},
    totp,
};
use crate::{
    context::Cx,
    domain::{
        codes::{self, PoliceNumber},
        identity::officer,
    },
    error::{Error, Faults, Flaw, Reason, Result},
    service::{pb, wire},
    store::{
        Limit,
        identity::{
            credentials::{self, By},
            enrolments, officers,
            sessions::{self, Owner},
        },
    },
};

/// A longer code is none.
const CODE_BYTES_MAX: usize = 64;

/// Whose enrolment it is, and what proves it.
struct Asked {
    number: PoliceNumber,
    code: String,
    source: String,
}

impl Identity {
    pub(super) async fn begin_officer_enrolment(
        &self,
        cx: &Cx,
        request: pb::BeginOfficerEnrolmentRequest,
    ) -> Result<pb::OfficerEnrolment> {
        self.store.limits().count(Limit::OfficerSignInAddress, &cx.counted_address()).await?;
        let mut faults = Faults::new();
        let asked = asked(cx, &mut faults, &request.police_number, &request.enrolment_code);
        let asked = faults.whole(asked)?;
        self.count_try(cx, &asked).await?;
        let secret = totp::draw(cx.ids());
        let mut tx = self.store.begin(cx).await?;
        let enrolment = enrolments::lock(&mut tx, asked.number.as_str(), &asked.code).await?;
        enrolments::begin(&mut tx, &enrolment, &secret).await?;
        let known = officers::known(tx.conn(), self.store.vault(), enrolment.officer).await?;
        tx.commit().await?;
        self.store.limits().attempts().held(&asked.source).await;
        Ok(pb::OfficerEnrolment {
            display_name: codes::mask::name(&known.full_name),
            totp_secret: totp::base32(&secret)?,
            totp_uri: totp::uri(&secret, asked.number.as_str())?,
            expire_time: Some(wire::time(enrolment.expire_time)),
        })
    }

    pub(super) async fn complete_officer_enrolment(
        &self,
        cx: &Cx,
        request: pb::CompleteOfficerEnrolmentRequest,
    ) -> Result<pb::Tokens> {
        self.store.limits().count(Limit::OfficerSignInAddress, &cx.counted_address()).await?;
        let mut faults = Faults::new();
        let asked = asked(cx, &mut faults, &request.police_number, &request.enrolment_code);
        required(&mut faults, "new_password", &request.new_password);
        let hashable = request.new_password.len() <= TYPED_BYTES_MAX;
        faults.check(hashable, "new_password", Flaw::TooLong);
        let totp_code = codes::one_time_code(&request.totp_code);
        required(&mut faults, "totp_code", &totp_code);
        let client = client(&mut faults, &request.client);
        let asked = faults.whole(asked)?;
        self.count_try(cx, &asked).await?;
        let mut tx = self.store.begin(cx).await?;
        let enrolment = enrolments::lock(&mut tx, asked.number.as_str(), &asked.code).await?;
        // Whoever has the code is who it was sent to: what is wrong from here on is told.
        let known = officers::known(tx.conn(), self.store.vault(), enrolment.officer).await?;
        let by = By::Own(enrolment.officer);
        let held = credentials::find(tx.conn(), self.store.vault(), by, false).await?;
        let held = held.ok_or_else(|| Error::new(Reason::OneTimeCodeInvalid))?;
        tx.rollback().await?;
        self.store.limits().attempts().held(&asked.source).await;
        officer::password(&request.new_password, &known)
            .map_err(|flaw| Error::field("new_password", flaw))?;
        let step = enrolment.totp_secret.as_ref();
        let step = step.and_then(|secret| totp::accepted_step(secret, &totp_code, cx.now, 0));
        let step = step.ok_or_else(|| Error::new(Reason::CredentialsInvalid))?;
        let wanted = SensitiveText::new(request.new_password);
        // No row is held meanwhile: a hash takes its time.
        let (hash, _) = unused_hash(cx, &wanted, &held).await?;
        let signer = self.signer(cx).await?;
        let mut tx = self.store.begin(cx).await?;
        let again = enrolments::lock(&mut tx, asked.number.as_str(), &asked.code).await?;
        if again.totp_secret != enrolment.totp_secret {
            return Err(Error::new(Reason::Conflict));
        }
        enrolments::complete(&mut tx, &again, &hash, step).await?;
        let session = sessions::insert(&mut tx, Owner::Officer(again.officer), &client).await?;
        tx.commit().await?;
        self.tokens(cx, &signer, &session).await
    }

    /// Counts a try from where it comes, whether or not there is such an officer: nobody else's tries keep
    /// an officer from enrolling.
    async fn count_try(&self, cx: &Cx, asked: &Asked) -> Result<()> {
        self.store.limits().count(Limit::SignInAccount, &asked.source).await?;
        self.store.limits().attempts().begin(&asked.source, cx.now).await
    }
}

fn asked(cx: &Cx, faults: &mut Faults, number: &str, code: &str) -> Option<Asked> {
    let number = faults.take("police_number", PoliceNumber::parse(number));
    required(faults, "enrolment_code", code);
    faults.check(code.len() <= CODE_BYTES_MAX, "enrolment_code", Flaw::TooLong);
    let number = number?;
    let source = format!("enrolment {} {}", number.as_str(), cx.counted_address());
    Some(Asked { number, code: codes::one_time_code(code), source })
}

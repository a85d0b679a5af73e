//! The people of the tour, signed in as everybody signs in.

use anyhow::{Context as _, bail};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use super::Stage;
use crate::{
    crypto::{SigningKey, Suite},
    sandbox::city::{self, Account},
    service::pb::{
        self, complaint_service_client::ComplaintServiceClient,
        conversation_service_client::ConversationServiceClient,
        enterprise_service_client::EnterpriseServiceClient,
        evaluation_service_client::EvaluationServiceClient,
        identity_service_client::IdentityServiceClient,
        liaison_service_client::LiaisonServiceClient,
        organisation_service_client::OrganisationServiceClient,
        pass_application_service_client::PassApplicationServiceClient,
        pass_check_service_client::PassCheckServiceClient,
        truck_pass_service_client::TruckPassServiceClient,
    },
};

/// A signed-in client.
#[derive(Clone)]
pub struct Person {
    channel: Channel,
    bearer: Bearer,
}

/// Adds the token to each call.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

type Wire = InterceptedService<Channel, Bearer>;

impl Person {
    fn new(stage: &Stage, tokens: &pb::Tokens) -> anyhow::Result<Self> {
        let bearer = format!("Bearer {}", tokens.access_token).parse()?;
        Ok(Self { channel: stage.channel.clone(), bearer: Bearer(bearer) })
    }

    fn wire(&self) -> Wire {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }

    pub fn identity(&self) -> IdentityServiceClient<Wire> {
        IdentityServiceClient::new(self.wire())
    }

    pub fn organisation(&self) -> OrganisationServiceClient<Wire> {
        OrganisationServiceClient::new(self.wire())
    }

    pub fn enterprises(&self) -> EnterpriseServiceClient<Wire> {
        EnterpriseServiceClient::new(self.wire())
    }

    pub fn applications(&self) -> PassApplicationServiceClient<Wire> {
        PassApplicationServiceClient::new(self.wire())
    }

    pub fn passes(&self) -> TruckPassServiceClient<Wire> {
        TruckPassServiceClient::new(self.wire())
    }

    pub fn liaison(&self) -> LiaisonServiceClient<Wire> {
        LiaisonServiceClient::new(self.wire())
    }

    pub fn conversations(&self) -> ConversationServiceClient<Wire> {
        ConversationServiceClient::new(self.wire())
    }

    pub fn complaints(&self) -> ComplaintServiceClient<Wire> {
        ComplaintServiceClient::new(self.wire())
    }

    pub fn evaluations(&self) -> EvaluationServiceClient<Wire> {
        EvaluationServiceClient::new(self.wire())
    }

    pub fn checks(&self) -> PassCheckServiceClient<Wire> {
        PassCheckServiceClient::new(self.wire())
    }
}

impl Stage {
    fn identity(&self) -> IdentityServiceClient<Channel> {
        IdentityServiceClient::new(self.channel.clone())
    }

    /// Asks the stand-in for WeChat for a code.
    pub async fn sandbox_code(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<String> {
        let url = format!("{}{path}", self.sandbox);
        let reply: serde_json::Value =
            self.http.post(url).json(body).send().await?.error_for_status()?.json().await?;
        let code = reply.get("code").and_then(serde_json::Value::as_str);
        Ok(code.context("the stand-in for WeChat gave no code")?.to_owned())
    }

    /// A person opens the mini-program.
    pub async fn person(&self, user: &str) -> anyhow::Result<Person> {
        let body = serde_json::json!({ "user": user });
        let login_code = self.sandbox_code("/sandbox/login_codes", &body).await?;
        let request = pb::SignInWithWechatRequest { login_code, client: "导览".to_owned() };
        let tokens = self.identity().sign_in_with_wechat(request).await?.into_inner();
        Person::new(self, &tokens)
    }

    /// An officer signs in. A one-time code works once, so a second tour within half a minute
    /// takes the code of the next step.
    pub async fn officer(&self, account: &Account) -> anyhow::Result<Person> {
        let now = u64::try_from(self.clock.now().as_second())?;
        for step in [now, now.saturating_add(30)] {
            let request = pb::SignInOfficerRequest {
                police_number: account.police_number.to_owned(),
                password: city::DEMO_PASSWORD.to_owned(),
                totp_code: account.totp_code(step)?,
                client: "导览".to_owned(),
            };
            match self.identity().sign_in_officer(request).await {
                Ok(tokens) => return Person::new(self, &tokens.into_inner()),
                Err(status) if status.code() == tonic::Code::Unauthenticated => {}
                Err(status) => return Err(status.into()),
            }
        }
        bail!("民警 {} 登录失败,请半分钟后再试", account.police_number)
    }

    /// A new checkpoint device enrols and signs in.
    pub async fn device(&self, administrator: &Person, checkpoint: &str) -> anyhow::Result<Person> {
        let request = pb::CreateDeviceEnrolmentRequest {
            checkpoint: checkpoint.to_owned(),
            ..pb::CreateDeviceEnrolmentRequest::default()
        };
        let enrolment =
            administrator.organisation().create_device_enrolment(request).await?.into_inner();
        let key = SigningKey::from_bytes(Suite::Intl, &self.ids.bytes())?;
        let request = pb::EnrolDeviceRequest {
            proof: key.sign(enrolment.enrolment_code.as_bytes())?.to_vec(),
            enrolment_code: enrolment.enrolment_code,
            public_key: key.public_key(),
            model: "导览终端".to_owned(),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let device = self.identity().enrol_device(request).await?.into_inner().device;
        let request = pb::CreateDeviceChallengeRequest { device: device.clone() };
        let challenge = self.identity().create_device_challenge(request).await?.into_inner();
        let request = pb::SignInDeviceRequest {
            device,
            signature: key.sign(&challenge.challenge)?.to_vec(),
            challenge: challenge.challenge,
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let tokens = self.identity().sign_in_device(request).await?.into_inner();
        Person::new(self, &tokens)
    }
}

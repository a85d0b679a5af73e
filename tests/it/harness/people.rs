//! The people of a test: a client for each, how they are signed in, and what a refusal tells them.

use std::net::SocketAddr;

use jingqi::surface::{
    clock::Ids,
    crypto::Suite,
    domain::identity::signing_key::Purpose,
    id::{Collection, Id, kind},
    service::pb::{
        self, calendar_service_client::CalendarServiceClient,
        centre_service_client::CentreServiceClient,
        complaint_service_client::ComplaintServiceClient,
        conduct_report_service_client::ConductReportServiceClient,
        conversation_service_client::ConversationServiceClient,
        enterprise_service_client::EnterpriseServiceClient,
        evaluation_service_client::EvaluationServiceClient,
        identity_service_client::IdentityServiceClient,
        liaison_service_client::LiaisonServiceClient, notice_service_client::NoticeServiceClient,
        organisation_service_client::OrganisationServiceClient,
        pass_application_service_client::PassApplicationServiceClient,
        pass_check_service_client::PassCheckServiceClient,
        proposal_service_client::ProposalServiceClient,
        truck_pass_service_client::TruckPassServiceClient,
    },
    store::{common::world, identity::actors},
    token,
};
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use super::{App, Call};

/// A client of one actor at one server.
#[derive(Clone)]
pub struct User {
    pub name: String,
    pub token: Option<String>,
    pub address: SocketAddr,
}

/// Adds the token to each call.
#[derive(Clone)]
pub struct Bearer(Option<String>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            let value: MetadataValue<_> = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}

type Wire = InterceptedService<Channel, Bearer>;

impl User {
    /// The same actor at another server.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The same server with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A connection of this client.
    pub fn wire(&self) -> Wire {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        InterceptedService::new(endpoint.connect_lazy(), Bearer(self.token.clone()))
    }

    /// Calls the method that takes this request.
    pub async fn call<R: Call>(&self, request: R) -> Result<R::Answer, Status> {
        request.ask(self).await
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

    pub fn proposals(&self) -> ProposalServiceClient<Wire> {
        ProposalServiceClient::new(self.wire())
    }

    pub fn calendars(&self) -> CalendarServiceClient<Wire> {
        CalendarServiceClient::new(self.wire())
    }

    pub fn centre(&self) -> CentreServiceClient<Wire> {
        CentreServiceClient::new(self.wire())
    }

    pub fn conduct(&self) -> ConductReportServiceClient<Wire> {
        ConductReportServiceClient::new(self.wire())
    }

    pub fn liaison(&self) -> LiaisonServiceClient<Wire> {
        LiaisonServiceClient::new(self.wire())
    }

    pub fn conversations(&self) -> ConversationServiceClient<Wire> {
        ConversationServiceClient::new(self.wire())
    }

    pub fn notices(&self) -> NoticeServiceClient<Wire> {
        NoticeServiceClient::new(self.wire())
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

impl App {
    /// Nobody.
    pub fn anonymous(&self) -> User {
        User { name: String::new(), token: None, address: self.address }
    }

    /// A signed-in client of an actor, whose session is put into the database.
    pub async fn user<K: Collection>(&self, id: Id<K>) -> User {
        let session = self.parts.ids.next::<kind::Session>(self.now()).uuid();
        let column = match K::NAME {
            "persons" => "person_id",
            "officers" => "officer_id",
            _ => "device_id",
        };
        let text = format!(
            "insert into session (id, {column}, generation, create_time, refresh_time, expire_time,
                client, address)
             values ($1, $2, 1, $3::timestamptz, $3::timestamptz,
                $3::timestamptz + interval '400 days', 'test', '')"
        );
        let mut tx = self.parts.store.begin(&self.cx()).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(session)
            .bind(id.uuid())
            .bind(self.now().to_string())
            .execute(tx.conn())
            .await
            .unwrap();
        tx.touch(actors::key(&id.to_string()));
        tx.commit().await.unwrap();
        let mut user = User { name: id.to_string(), token: None, address: self.address };
        user.token = Some(self.token(&user.name, session).await);
        user
    }

    /// A token as the identity service would sign it now.
    pub async fn token(&self, name: &str, session: Uuid) -> String {
        let snapshot = self.parts.world.get(&self.parts.store).await.unwrap();
        let key = snapshot.signing_key(Purpose::AccessToken, Suite::Intl, self.now()).unwrap();
        let private = world::private_key(&self.parts.store, key).unwrap();
        let id = self.parts.ids.random();
        // Tests move the clock by months; a token that lives as long keeps them short.
        let mut access = token::Access::new(name.to_owned(), session, id, self.now());
        access.exp += 400 * 86_400;
        access.sign(&key.kid_text(), &private).unwrap()
    }

    /// Confirms a proposal, as a leader of the city who says why it cannot wait.
    pub async fn confirm(&self, proposal: &str) -> Result<pb::Proposal, Status> {
        let unit: (Uuid, String) = sqlx::query_as(
            "select unit.id, path from unit, proposal
             where proposal.id = $1::uuid and path = split_part(unit_path, '/', 1) || '/'",
        )
        .bind(proposal.strip_prefix("proposals/").unwrap().to_owned())
        .fetch_one(self.parts.store.pool())
        .await
        .unwrap();
        let known: Option<Uuid> =
            sqlx::query_scalar("select id from officer where police_number = '199999'")
                .fetch_optional(self.parts.store.pool())
                .await
                .unwrap();
        let leader = match known {
            Some(id) => self.user(Id::<kind::Officer>::of(id)).await,
            None => self.officer("199999", &unit, &["UNIT_LEADER"]).await,
        };
        let request = pb::ConfirmProposalRequest {
            name: proposal.to_owned(),
            at_once_reason: "演示需要,当日生效".to_owned(),
            etag: "W/\"1\"".to_owned(),
            request_id: request_id(),
            ..Default::default()
        };
        leader.call(request).await
    }

    /// Announces a change of an actor that was made by the test's own statements.
    pub async fn forget(&self, user: &User) {
        let mut tx = self.parts.store.begin(&self.cx()).await.unwrap();
        tx.touch(actors::key(&user.name));
        tx.commit().await.unwrap();
    }
}

/// The machine-readable reason of a failure.
pub fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

/// A fact of a failure.
pub fn fact(status: &Status, key: &str) -> String {
    let details = status.get_error_details();
    details.error_info().and_then(|info| info.metadata.get(key).cloned()).unwrap_or_default()
}

/// The wrong fields of a failure, as `path REASON`, sorted.
pub fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let fields = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    let mut fields: Vec<_> =
        fields.into_iter().map(|field| format!("{} {}", field.field, field.reason)).collect();
    fields.sort();
    fields
}

/// A request id as a client makes it.
pub fn request_id() -> String {
    Ids::system().random().to_string()
}

//! The demo city: units, officers, zones and checkpoints of an invented Suqian, loaded straight
//! through the store. Its passwords are public: never load it into a real deployment.

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use totp_rs::{Algorithm, Secret, TOTP};
use zeroize::Zeroizing;

use super::past;
use crate::{
    actor::{Role, Roles},
    context::Cx,
    domain::{codes::PoliceNumber, pass::zone::Zone},
    error::Reason,
    id::{Id, kind},
    parts::Parts,
    service::identity::password::{self, SensitiveText},
    store::{
        Tx,
        identity::{
            officers,
            units::{self, NewUnit},
        },
        pass::{checkpoints, policies},
    },
};

/// The password of every demo officer.
pub const DEMO_PASSWORD: &str = "Suqian-Demo-2026";
/// The legal representative of the demo enterprise, as the stand-in for `WeChat` knows him.
pub const BOSS: &str = "boss-wang";
/// The code of the city bureau: where it exists, the city is loaded.
const BUREAU: &str = "321300000000";
const DETACHMENT: &str = "321300170000";

/// A demo officer.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    /// Six digits.
    pub police_number: &'static str,
    /// The secret of the one-time codes, base32.
    pub totp_secret: &'static str,
    name: &'static str,
    key: &'static str,
    unit: &'static str,
    role: Role,
}

macro_rules! accounts {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $number:literal, $secret:literal, $zh:literal, $unit:expr, $role:ident;)+) => {
        $(
            $(#[$doc])*
            pub const $name: Account = Account {
                police_number: $number,
                totp_secret: $secret,
                name: $zh,
                key: $key,
                unit: $unit,
                role: Role::$role,
            };
        )+
        /// Every demo officer.
        pub const ACCOUNTS: &[Account] = &[$($name,)+];
    };
}

accounts! {
    /// System administrator.
    SYSTEM = "system", "100001", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXA", "周管理", BUREAU, SystemAdministrator;
    /// Security administrator.
    SECURITY = "security", "100002", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXB", "吴安全", BUREAU, SecurityAdministrator;
    /// Auditor.
    AUDITOR = "auditor", "100003", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXC", "郑审计", BUREAU, Auditor;
    /// Window clerk of the brigade.
    CLERK = "clerk", "100004", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXD", "钱窗口", BRIGADE, WindowClerk;
    /// First reviewer of the brigade.
    FIRST_REVIEWER = "first", "100005", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXE", "孙初审", BRIGADE, FirstReviewer;
    /// Another first reviewer of the brigade.
    SECOND_REVIEWER = "second", "100006", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXF", "李初审", BRIGADE, FirstReviewer;
    /// Final reviewer of the detachment.
    FINAL_REVIEWER = "chief", "100007", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXG", "陈复审", DETACHMENT, FinalReviewer;
    /// Checkpoint officer of the brigade.
    PATROL = "patrol", "100008", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXH", "冯路面", BRIGADE, CheckpointOfficer;
    /// Auxiliary officer of the brigade.
    AUXILIARY = "auxiliary", "100009", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXI", "褚辅警", BRIGADE, Auxiliary;
    /// Leader of the brigade: posts and rosters.
    LEADER = "leader", "100010", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXJ", "卫队长", BRIGADE, UnitLeader;
    /// Liaison officer.
    LIAISON = "liaison", "100011", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXK", "蒋专员", BRIGADE, LiaisonOfficer;
    /// A colleague on the same post.
    LIAISON_2 = "liaison2", "100012", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXL", "沈专员", BRIGADE, LiaisonOfficer;
    /// Inspectorate.
    INSPECTOR = "inspector", "100013", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXM", "韩督察", BUREAU, Inspector;
    /// Takes complaints in and assigns them.
    ASSIGNER = "assigner", "100014", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXN", "杨交办", BUREAU, Assigner;
    /// Handles complaints for the brigade.
    HANDLER = "handler", "100015", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXO", "朱承办", BRIGADE, Handler;
    /// A colleague, for the second handling.
    HANDLER_2 = "handler2", "100016", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "秦承办", BRIGADE, Handler;
    /// A leader of the bureau: supervision and figures.
    DIRECTOR = "director", "100017", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXQ", "尤局长", BUREAU, UnitLeader;
    /// Another leader of the bureau: what one proposes for the city, the other one confirms.
    DEPUTY = "deputy", "100018", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXR", "许局长", BUREAU, UnitLeader;
    /// Another inspector: a reporter's name takes two.
    INSPECTOR_2 = "inspector2", "100019", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXS", "何督察", BUREAU, Inspector;
}

const BRIGADE: &str = "321302170000";

/// The detachments and offices below the bureau (facts.md, section 7); the codes are ours.
const OFFICES: &[(&str, &str)] = &[
    (DETACHMENT, "交通警察支队"),
    ("321300010000", "情报指挥中心"),
    ("321300040000", "内部单位保卫支队"),
    ("321300050000", "治安警察支队"),
    ("321300060000", "经济犯罪侦查支队"),
    ("321300070000", "刑事警察支队"),
    ("321300080000", "出入境管理支队"),
    ("321300090000", "禁毒支队"),
    ("321300110000", "网络安全保卫支队"),
    ("321300120000", "法制支队"),
    ("321300130000", "警务督察支队"),
    ("321300140000", "行政审批处"),
];

/// The brigades of the traffic police, and the divisions that they serve.
const BRIGADES: &[(&str, &str, &str)] = &[
    (BRIGADE, "宿城大队", "321302"),
    ("321311170000", "宿豫大队", "321311"),
    ("321322170000", "沭阳大队", "321322"),
    ("321323170000", "泗阳大队", "321323"),
    ("321324170000", "泗洪大队", "321324"),
    ("321371170000", "经开区大队", "321371"),
];

impl Account {
    /// The one-time code at an instant, in seconds.
    pub fn totp_code(&self, seconds: u64) -> anyhow::Result<String> {
        let secret = self.secret()?.to_vec();
        let totp = TOTP::new(Algorithm::SHA1, 6, 1, 30, secret)
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(totp.generate(seconds))
    }

    fn secret(&self) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let secret = Secret::Encoded(self.totp_secret.to_owned()).to_bytes();
        Ok(Zeroizing::new(secret.map_err(|error| anyhow::anyhow!("{error:?}"))?))
    }
}

/// The accounts as JSON, for clients that are not ours.
#[must_use]
pub fn accounts() -> Value {
    let officers = ACCOUNTS.iter().map(|account| {
        let entry = json!({
            "police_number": account.police_number,
            "password": DEMO_PASSWORD,
            "totp_secret": account.totp_secret,
        });
        (account.key.to_owned(), entry)
    });
    json!({
        "officers": officers.collect::<serde_json::Map<_, _>>(),
        "persons": { "boss": BOSS },
    })
}

/// Loads the city, once.
///
/// # Errors
/// When PostgreSQL is away.
pub async fn load(parts: &Parts) -> anyhow::Result<bool> {
    let mut connection = parts.store.read().await?;
    let known = units::list(&mut connection).await?;
    drop(connection);
    let cx = Cx::job("demo-city", parts.clock.now(), parts.ids.clone());
    let mut tx = parts.store.begin(&cx).await?;
    if known.iter().any(|unit| unit.code == BUREAU) {
        // A city of an older version lacks the officers that came later.
        let units: Vec<_> = known.iter().map(|unit| (unit.code.as_str(), unit.id)).collect();
        load_officers(&mut tx, &units).await?;
        tx.commit().await?;
        return Ok(false);
    }
    let brigade = load_units(&mut tx).await?;
    let zones = load_zones(&mut tx).await?;
    let checkpoint = checkpoints::NewCheckpoint {
        display_name: "洋河新区南大街卡口(演示)".to_owned(),
        unit: brigade,
        zones,
        latitude: 33.78,
        longitude: 118.37,
    };
    checkpoints::insert(&mut tx, checkpoint).await?;
    tx.commit().await?;
    past::load(parts).await?;
    Ok(true)
}

/// Units and their officers; answers with the brigade that serves the demo enterprise.
async fn load_units(tx: &mut Tx) -> anyhow::Result<Id<kind::Unit>> {
    let mut made = vec![(BUREAU, unit(tx, BUREAU, "宿迁市公安局", None, &[]).await?)];
    let of = |made: &[(&str, Id<kind::Unit>)], code: &str| {
        made.iter().find(|(known, _)| *known == code).map(|(_, id)| *id).context("a unit")
    };
    let bureau = of(&made, BUREAU)?;
    for (code, name) in OFFICES {
        let name = format!("宿迁市公安局{name}");
        made.push((*code, unit(tx, code, &name, Some(bureau), &[]).await?));
    }
    let detachment = of(&made, DETACHMENT)?;
    for (code, name, serves) in BRIGADES {
        let name = format!("宿迁市公安局交通警察支队{name}");
        made.push((*code, unit(tx, code, &name, Some(detachment), &[serves]).await?));
    }
    load_officers(tx, &made).await?;
    of(&made, BRIGADE)
}

/// The officers who are not there yet.
async fn load_officers(tx: &mut Tx, units: &[(&str, Id<kind::Unit>)]) -> anyhow::Result<()> {
    let password = SensitiveText::new(DEMO_PASSWORD);
    let hash = password::hash(&password, tx.cx().ids().bytes()).await?;
    for account in ACCOUNTS {
        let unit = units.iter().find(|(known, _)| *known == account.unit);
        let police_number = PoliceNumber::parse(account.police_number);
        let new = officers::NewOfficer {
            police_number: police_number.map_err(|flaw| anyhow::anyhow!(flaw.wire()))?,
            full_name: account.name.to_owned(),
            unit: unit.map(|(_, id)| *id).context("a unit")?,
            roles: Roles::of(&[account.role]),
            phone: None,
            public: Some(officers::Proofs {
                password_hash: hash.clone(),
                totp_secret: account.secret()?,
            }),
        };
        tx.savepoint().await?;
        match officers::insert(tx, new).await {
            Ok(_) => tx.release_savepoint().await?,
            Err(error) if error.reason() == Reason::AlreadyExists => {
                tx.rollback_to_savepoint().await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn unit(
    tx: &mut Tx,
    code: &str,
    name: &str,
    parent: Option<Id<kind::Unit>>,
    serves: &[&str],
) -> anyhow::Result<Id<kind::Unit>> {
    let new = NewUnit {
        code: code.to_owned(),
        display_name: name.to_owned(),
        parent,
        reach: None,
        serves: serves.iter().map(|&division| division.to_owned()).collect(),
    };
    Ok(units::insert(tx, new).await?.id)
}

/// The zone of the only notice that was found, and one that is invented and says so.
async fn load_zones(tx: &mut Tx) -> anyhow::Result<Vec<Id<kind::Zone>>> {
    let from: Timestamp = "2023-02-07T00:00:00+08:00".parse()?;
    let mut ids = Vec::new();
    for zone in [Zone::yanghe_2023(), Zone::main_urban_demo()] {
        let id = tx.cx().id();
        policies::insert_zone(tx, id, 1, zone.code, &zone.name, &zone.source, from, &zone.plan)
            .await?;
        ids.push(id);
    }
    // The checkpoint guards the real zone alone.
    ids.truncate(1);
    Ok(ids)
}

//! The configuration: the environment, read once and checked at start. `--help` is the manual.

use std::{collections::BTreeSet, ffi::OsString, fmt, net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;

/// A text that is never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Where everything is kept.
#[derive(Debug, Clone, Args)]
pub struct StoreSettings {
    /// PostgreSQL 15 or newer: postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Secret,

    /// Redis or Valkey without persistence: redis://host:port. Empty: the product runs without,
    /// slower. Every server of a deployment must have the same setting.
    #[arg(long, env = "REDIS_URL", hide_env_values = true, default_value = "")]
    pub redis_url: Secret,

    /// What stands before every key in Redis, so that two deployments can share one
    #[arg(long, env = "JINGQI_REDIS_PREFIX", default_value = "jingqi:")]
    pub redis_prefix: String,

    /// Connections to PostgreSQL that one server holds at most
    #[arg(long, env = "JINGQI_CONNECTIONS_MAX", default_value_t = 16)]
    pub connections_max: u32,

    /// How many times as often as usual anybody may ask: 1 but for load tests
    #[arg(long, env = "JINGQI_LIMITS_FACTOR", default_value_t = 1)]
    pub limits_factor: u32,

    /// Permits PostgreSQL, Redis and the collector on other machines. They are spoken to in clear: only
    /// over a network that nobody else can read, such as that of one machine's containers, or through
    /// a tunnel
    #[arg(long, env = "JINGQI_CLEAR_TEXT", default_value_t = false, action = clap::ArgAction::Set)]
    pub clear_text: bool,

    /// The key that seals personal data and private keys: 64 hexadecimal digits. Whoever has it
    /// and the database has everything; losing it loses every sealed field
    #[arg(long, env = "JINGQI_MASTER_KEY", hide_env_values = true)]
    pub master_key: Secret,

    /// The folder in which attachments are kept; shared by all servers
    #[arg(long, env = "JINGQI_ATTACHMENT_DIR", default_value = ".local/attachments")]
    pub attachment_dir: PathBuf,
}

/// Whom we call.
#[derive(Debug, Clone, Args)]
pub struct RemoteSettings {
    /// The base address of WeChat's server interfaces, or of a stand-in (`jingqi sandbox`)
    #[arg(long, env = "JINGQI_WECHAT_BASE_URL", default_value = crate::remote::wechat::BASE_URL)]
    pub wechat_base_url: String,

    /// The mini-program's id; a server and a worker do not start without it
    #[arg(long, env = "JINGQI_WECHAT_APPID", default_value = "")]
    pub wechat_appid: String,

    /// The mini-program's secret; a server and a worker do not start without it
    #[arg(long, env = "JINGQI_WECHAT_SECRET", hide_env_values = true, default_value = "")]
    pub wechat_secret: Secret,

    /// The base address of WeCom's server interfaces, or of a stand-in
    #[arg(long, env = "JINGQI_WECOM_BASE_URL", default_value = "https://qyapi.weixin.qq.com")]
    pub wecom_base_url: String,

    /// The corporation's id at WeCom; empty: posts have no contact way there
    #[arg(long, env = "JINGQI_WECOM_CORPID", default_value = "")]
    pub wecom_corpid: String,

    /// The secret of the application at WeCom, where a corporation is named
    #[arg(long, env = "JINGQI_WECOM_SECRET", hide_env_values = true, default_value = "")]
    pub wecom_secret: Secret,

    /// The agent id of that application, in whose name officers are sent messages; 0: none are sent
    #[arg(long, env = "JINGQI_WECOM_AGENT_ID", default_value_t = 0)]
    pub wecom_agent_id: i64,

    /// The subscription templates filed at WeChat: `pass=ID;complaint=ID`. Codes: pass-application,
    /// pass, complaint, message, evaluation, digest. One that is not named is not sent by WeChat.
    /// Fields are expected as pass-application `character_string1,phrase2,thing3,time4`; pass
    /// `car_number1,phrase2,thing3,time4`; complaint `character_string1,phrase2,time3`; message and
    /// evaluation `thing1,time2`; digest `number1,thing2,time3`; where the filed template numbers
    /// them otherwise, they follow the id: `pass=ID:car_number3,phrase1,thing5,time2`
    #[arg(long, env = "JINGQI_WECHAT_TEMPLATES", default_value = "")]
    pub wechat_templates: String,

    /// The page of the mini-program that a subscription message opens; empty: none
    #[arg(long, env = "JINGQI_WECHAT_NOTICE_PAGE", default_value = "")]
    pub wechat_notice_page: String,

    /// Permits webhooks to addresses of our own network, and to this machine without TLS: for other
    /// systems of the bureau, and for tests
    #[arg(long, env = "JINGQI_WEBHOOK_PRIVATE", default_value_t = false, action = clap::ArgAction::Set)]
    pub webhook_private: bool,

    /// The address of the SMS gateway; empty: no SMS is sent, and codes cannot be proved by SMS
    #[arg(long, env = "JINGQI_SMS_URL", default_value = "")]
    pub sms_url: String,

    /// The template of the one-time code at the SMS gateway. Notices have templates there by the
    /// codes above: notice-pass, notice-complaint, …, and notice-pass-en, … in English. Two more serve
    /// officers' accounts: officer-enrolment (code) and officer-account (state)
    #[arg(long, env = "JINGQI_SMS_TEMPLATE", default_value = "one-time-code")]
    pub sms_template: String,

    /// The key of the SMS gateway, where one is named
    #[arg(long, env = "JINGQI_SMS_KEY", hide_env_values = true, default_value = "")]
    pub sms_key: Secret,
}

impl RemoteSettings {
    /// Refuses a start in which somebody is called without the secret that he knows us by.
    ///
    /// # Errors
    /// Names every variable that is missing at once.
    pub fn check_secrets(&self) -> anyhow::Result<()> {
        let (wecom, sms) = (!self.wecom_corpid.is_empty(), !self.sms_url.is_empty());
        let missing: Vec<_> = [
            (true, "JINGQI_WECHAT_APPID", self.wechat_appid.as_str()),
            (true, "JINGQI_WECHAT_SECRET", self.wechat_secret.reveal()),
            (wecom, "JINGQI_WECOM_SECRET", self.wecom_secret.reveal()),
            (sms, "JINGQI_SMS_KEY", self.sms_key.reveal()),
        ]
        .into_iter()
        .filter(|(needed, _, value)| *needed && value.is_empty())
        .map(|(_, variable, _)| variable)
        .collect();
        ensure!(missing.is_empty(), "not set: {}", missing.join(", "));
        Ok(())
    }
}

/// How the server listens.
#[derive(Debug, Clone, Args)]
pub struct ServeSettings {
    /// Where everything listens: gRPC, gRPC-Web, Connect, plain JSON by POST, the line of mini-programs at
    /// /v1/line, /livez, /readyz and /openapi.json, by HTTP/1.1 and HTTP/2. TLS ends at the load balancer in
    /// front, whose read timeout must be longer than a minute
    #[arg(long, env = "JINGQI_LISTEN", default_value = "127.0.0.1:50051")]
    pub listen: SocketAddr,

    /// A second address for the same, on a network of its own: that of the devices, for one. Empty: none
    #[arg(long, env = "JINGQI_WEB_LISTEN", default_value = "")]
    pub web_listen: String,

    /// Pages of which other origins may call: `https://desk.example,https://map.example`. Empty: none
    #[arg(long, env = "JINGQI_CORS_ORIGINS", default_value = "")]
    pub cors_origins: String,

    /// The load balancers and proxies in front, whose X-Forwarded-For says who called: networks with
    /// commas between them, `10.0.0.0/24,2001:db8::1`. Empty: nobody is believed, and all who come by one
    /// balancer count as one address. Each of them must add to the header, as Envoy and nginx do
    #[arg(long, env = "JINGQI_TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: String,

    /// Connections that one address may hold at each of them, a quarter of them before anybody has signed
    /// in on them; the trusted proxies may hold more. Of IPv6 a network of 64 bits counts as one address
    #[arg(long, env = "JINGQI_CONNECTIONS_PER_ADDRESS_MAX", default_value_t = 64)]
    pub connections_per_address_max: usize,

    /// Serves reflection: what services there are, for tools. Off in production
    #[arg(long, env = "JINGQI_REFLECTION", default_value_t = true, action = clap::ArgAction::Set)]
    pub reflection: bool,

    /// Serves on a PostgreSQL that may lose commits (fsync off). For tests only
    #[arg(long, env = "JINGQI_ALLOW_LOSS", default_value_t = false, action = clap::ArgAction::Set)]
    pub allow_loss: bool,
}

/// What is told to the outside about itself.
#[derive(Debug, Clone, Args)]
pub struct TelemetrySettings {
    /// What is logged: error, warn, info, debug, or per module (`jingqi=debug`)
    #[arg(long, env = "JINGQI_LOG", default_value = "info")]
    pub log: String,

    /// The OpenTelemetry collector (OTLP over gRPC); empty: neither traces nor metrics leave
    #[arg(long, env = "JINGQI_OTLP_ENDPOINT", default_value = "")]
    pub otlp_endpoint: String,
}

impl StoreSettings {
    /// The master key, checked.
    ///
    /// # Errors
    /// Names the variable when it is not 64 hexadecimal digits; never prints it.
    pub fn master_key(&self) -> anyhow::Result<[u8; 32]> {
        let text = self.master_key.reveal();
        ensure!(
            text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "JINGQI_MASTER_KEY must be 64 hexadecimal digits"
        );
        let mut key = [0; 32];
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).context("JINGQI_MASTER_KEY")?;
            *byte = u8::from_str_radix(digits, 16).context("JINGQI_MASTER_KEY")?;
        }
        ensure!(key != [0; 32], "JINGQI_MASTER_KEY must not be zero");
        Ok(key)
    }

    /// Refuses a server on another machine, unless it may be spoken to in clear: this program has no TLS
    /// of its own towards any of them, and PostgreSQL's "prefer" would go on in clear without a word.
    ///
    /// # Errors
    /// Names the variable; never prints the address, which holds a password.
    pub fn check_links(&self, told: Option<&TelemetrySettings>) -> anyhow::Result<()> {
        let collector = told.map_or("", |told| told.otlp_endpoint.as_str());
        for (variable, url) in [
            ("DATABASE_URL", self.database_url.reveal()),
            ("REDIS_URL", self.redis_url.reveal()),
            ("JINGQI_OTLP_ENDPOINT", collector),
        ] {
            ensure!(
                self.clear_text || url.is_empty() || is_local(url),
                "{variable} names another machine, which would be spoken to in clear: \
                 JINGQI_CLEAR_TEXT=true permits it"
            );
        }
        Ok(())
    }

    /// Redis, where it is named.
    #[must_use]
    pub fn redis(&self) -> Option<&str> {
        Some(self.redis_url.reveal()).filter(|url| !url.is_empty())
    }
}

/// What stands before the names of our variables.
const PREFIX: &str = "JINGQI_";
/// Variables of the scripts and of compose around the program, which it may find in its environment.
const OF_SCRIPTS: [&str; 6] = [
    "JINGQI_PROGRAM",
    "JINGQI_ACCOUNTS",
    "JINGQI_CODES",
    "JINGQI_SEARCHED",
    "JINGQI_DATABASE_PASSWORD",
    "JINGQI_REDIS_PASSWORD",
];

/// Refuses a variable that looks like ours and is none: whoever set it believes in a setting that is not
/// there, and one server without Redis makes every revocation of it slow.
///
/// # Errors
/// Names the variables; never prints what they are set to.
pub fn refuse_unknown(
    program: &clap::Command,
    set: impl Iterator<Item = OsString>,
) -> anyhow::Result<()> {
    fn collect(command: &clap::Command, known: &mut BTreeSet<String>) {
        let named = command.get_arguments().filter_map(clap::Arg::get_env);
        known.extend(named.map(|name| name.to_string_lossy().into_owned()));
        command.get_subcommands().for_each(|part| collect(part, known));
    }
    let mut known = BTreeSet::new();
    collect(program, &mut known);
    let set = set.map(|name| name.to_string_lossy().into_owned());
    let ours = set.filter(|name| name.to_ascii_uppercase().starts_with(PREFIX));
    let unknown = ours.filter(|name| !known.contains(name) && !OF_SCRIPTS.contains(&&**name));
    let told: BTreeSet<String> = unknown
        .map(|name| {
            let bare = name.get(PREFIX.len()..).unwrap_or_default().to_ascii_uppercase();
            let meant = [bare.clone(), format!("{PREFIX}{bare}")];
            match meant.iter().find(|meant| known.contains(*meant)) {
                Some(meant) => format!("{name} (is {meant} meant?)"),
                None => name,
            }
        })
        .collect();
    let told = Vec::from_iter(told).join(", ");
    ensure!(told.is_empty(), "no setting of this program: {told}; `--help` lists them all");
    Ok(())
}

/// Whether an address leads to this machine: by its loopback, or by a socket in the file system.
fn is_local(url: &str) -> bool {
    // What is no address is refused by whoever uses it.
    let Ok(url) = reqwest::Url::parse(url) else { return true };
    // PostgreSQL's clients take the host from the query, too, and the query counts.
    let asked = url.query_pairs().filter(|(key, _)| key == "host" || key == "hostaddr");
    let asked = asked.map(|(_, host)| host.into_owned()).last();
    let host = asked.unwrap_or_else(|| url.host_str().unwrap_or_default().to_owned());
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let socket = host.is_empty() || host.starts_with('/') || host.starts_with("%2F");
    let loopback = bare.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    socket || loopback || host == "localhost"
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Parser};

    use super::{RemoteSettings, StoreSettings, TelemetrySettings, is_local, refuse_unknown};

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        kept: StoreSettings,
        #[command(flatten)]
        told: TelemetrySettings,
    }

    fn checked(arguments: &[&str]) -> bool {
        let key = "0".repeat(64);
        let given = ["jingqi", "--master-key", &key].into_iter().chain(arguments.iter().copied());
        let Program { kept, told } = Program::try_parse_from(given).expect("settings");
        kept.check_links(Some(&told)).is_ok()
    }

    #[test]
    fn another_machine_is_not_spoken_to_in_clear_unless_it_is_permitted() {
        let local = ["--database-url", "postgres://a:b@127.0.0.1/c", "--redis-url", ""];
        assert!(checked(&[&local[..], &["--otlp-endpoint", "http://[::1]:4317"]].concat()));
        let far = [
            [
                "--database-url",
                "postgres://a:b@db.example:5432/c?sslmode=prefer",
                "--redis-url",
                "",
            ],
            ["--database-url", "postgres:///c?host=10.0.0.1", "--redis-url", ""],
            ["--database-url", "postgres://a:b@[::1]/c", "--redis-url", "redis://redis:6379"],
        ];
        for settings in far {
            assert!(!checked(&settings), "{settings:?}");
            assert!(checked(&[&settings[..], &["--clear-text", "true"]].concat()));
        }
        assert!(!checked(&[&local[..], &["--otlp-endpoint", "http://10.0.0.2:4317"]].concat()));
    }

    #[test]
    fn a_socket_in_the_file_system_is_local() {
        for url in [
            "postgres:///jingqi",
            "postgres://%2Frun%2Fpostgresql/jingqi",
            "postgres://localhost/jingqi?host=/run/postgresql",
            "redis+unix:///run/redis.sock",
        ] {
            assert!(is_local(url), "{url}");
        }
    }

    // OP-16: what is set is checked at start.
    #[test]
    fn a_variable_that_looks_like_a_setting_and_is_none_is_refused_by_name() {
        let refused = |names: &[&str]| {
            let program = <Program as clap::CommandFactory>::command();
            let names = names.iter().map(std::ffi::OsString::from);
            refuse_unknown(&program, names).err().map(|error| error.to_string())
        };
        let known = ["DATABASE_URL", "JINGQI_REDIS_PREFIX", "JINGQI_PROGRAM", "PATH", "REDIS_URI"];
        assert_eq!(refused(&known), None);
        let told = refused(&["JINGQI_REDIS_URL", "JINGQI_LOG", "JINGQI_TRUSTED_PROXY"]);
        assert_eq!(
            told.as_deref(),
            Some(
                "no setting of this program: JINGQI_REDIS_URL (is REDIS_URL meant?), \
                 JINGQI_TRUSTED_PROXY; `--help` lists them all"
            )
        );
        let told = refused(&["jingqi_redis_prefix"]).unwrap_or_default();
        assert!(told.contains("is JINGQI_REDIS_PREFIX meant?"), "{told}");
    }

    // A setting that compose does not pass cannot be used there.
    #[test]
    fn compose_passes_every_setting_of_other_systems() {
        let compose = include_str!("../deploy/compose.yaml");
        let settings = RemoteSettings::augment_args(clap::Command::new("settings"));
        let settings = TelemetrySettings::augment_args(settings);
        for name in settings.get_arguments().filter_map(clap::Arg::get_env) {
            let passed = format!("    {}: ", name.to_string_lossy());
            assert!(compose.contains(&passed), "{}", name.display());
        }
    }
}

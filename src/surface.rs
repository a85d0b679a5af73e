//! What is named from outside the house: by the program, by its tests and by its measurements. Every other item
//! is the house's own, so that the compiler tells what nobody needs any more. No item is made here.

#![expect(missing_docs, reason = "each room is told where it stands")]

pub mod actor {
    pub use crate::actor::{Actor, Item, Role, Roles};
}
pub mod address {
    pub use crate::address::Proxies;
}
pub mod clock {
    pub use crate::clock::{Clock, Ids, ManualClock, Uptime};
}
pub mod config {
    pub use crate::config::{
        RemoteSettings, ServeSettings, StoreSettings, TelemetrySettings, refuse_unknown,
    };
}
pub mod context {
    pub use crate::context::Cx;
}
pub mod crypto {
    pub use crate::crypto::{SigningKey, Suite, VerifyingKey, hex, unhex};
}
pub mod domain {
    pub mod codes {
        pub use crate::domain::codes::DocumentKind;
    }
    pub mod common {
        pub mod evaluation {
            pub use crate::domain::common::evaluation::{EvaluationState, Satisfaction};
        }
        pub mod extension {
            pub use crate::domain::common::extension::ExtensionState;
        }
        pub mod lifecycle {
            pub use crate::domain::common::lifecycle::{Change, Moved, State};
        }
        pub mod notice {
            pub use crate::domain::common::notice::{
                Audience, Channel, Facts, Language, NoticeEvent, Template,
            };
            pub mod fields {
                pub use crate::domain::common::notice::fields::Templates;
            }
        }
        pub mod number {
            pub use crate::domain::common::number::{ComplaintNumber, PassNumber};
        }
    }
    pub mod complaint {
        pub use crate::domain::complaint::{Category, Channel, ComplaintState, Field, Rules};
        pub mod meeting {
            pub use crate::domain::complaint::meeting::{MeetingState, PointState};
        }
        pub mod rules {
            pub use crate::domain::complaint::rules::limit_text;
        }
    }
    pub mod conduct {
        pub use crate::domain::conduct::{DutyKind, DutyStanding, Finding, ReportState};
    }
    pub mod duty {
        pub mod calendar {
            pub use crate::domain::duty::calendar::{Calendar, CalendarYear};
        }
        pub mod escalation {
            pub use crate::domain::duty::escalation::Level;
        }
        pub mod month {
            pub use crate::domain::duty::month::{local_date, start_of_day};
        }
        pub mod obligation {
            pub use crate::domain::duty::obligation::{
                Limits, ObligationKind, Pause, PauseReason, Times, Which, decision_limits,
            };
        }
    }
    pub mod enterprise {
        pub use crate::domain::enterprise::EnterpriseState;
        pub mod attachment {
            pub use crate::domain::enterprise::attachment::ContentType;
        }
        pub mod contest {
            pub use crate::domain::enterprise::contest::ContestState;
        }
    }
    pub mod identity {
        pub mod proposal {
            pub use crate::domain::identity::proposal::{Act, ProposalState};
        }
        pub mod signing_key {
            pub use crate::domain::identity::signing_key::Purpose;
        }
    }
    pub mod liaison {
        pub use crate::domain::liaison::{BindingSource, PostMode};
        pub mod booking {
            pub use crate::domain::liaison::booking::{BookingState, CONFIRM_WITHIN};
        }
        pub mod conversation {
            pub use crate::domain::liaison::conversation::ConversationState;
        }
        pub mod export {
            pub use crate::domain::liaison::export::{Broken, verify};
        }
        pub mod message {
            pub use crate::domain::liaison::message::MessageKind;
        }
        pub mod problem {
            pub use crate::domain::liaison::problem::ProblemState;
        }
    }
    pub mod pass {
        pub use crate::domain::pass::PassState;
        pub mod application {
            pub use crate::domain::pass::application::{ApplicationState, Purpose, SourceChannel};
        }
        pub mod check {
            pub use crate::domain::pass::check::{CheckAction, CheckOutcome, Direction, Verdict};
        }
        pub mod pass_code {
            pub use crate::domain::pass::pass_code::{
                CodeMode, KeyList, PassClaims, encode, parse,
            };
        }
        pub mod policy {
            pub use crate::domain::pass::policy::{
                EnterpriseClass, PassKind, PolicyValues, Relation,
            };
        }
        pub mod qr {
            pub use crate::domain::pass::qr::QrPicture;
        }
        pub mod zone {
            pub use crate::domain::pass::zone::Zone;
        }
    }
}
pub mod error {
    pub use crate::error::{Error, Flaw, Reason};
}
pub mod id {
    pub use crate::id::{Collection, Id, kind};
}
pub mod parts {
    pub use crate::parts::Parts;
}
pub mod remote {
    pub use crate::remote::{Limits, Secret};
    pub mod sms {
        pub use crate::remote::sms::Sms;
    }
    pub mod webhook {
        pub use crate::remote::webhook::Webhooks;
    }
    pub mod wechat {
        pub use crate::remote::wechat::Wechat;
    }
    pub mod wecom {
        pub use crate::remote::wecom::Wecom;
    }
}
pub mod sandbox {
    pub use crate::sandbox::{router, serve, sms, webhook, wechat, wecom};
    pub mod city {
        pub use crate::sandbox::city::{
            Account, CLERK, DEMO_PASSWORD, FIRST_REVIEWER, SECURITY, SYSTEM, accounts, load,
        };
    }
    pub mod tour {
        pub use crate::sandbox::tour::{TourSettings, run, run_complaint, run_liaison};
    }
}
pub mod server {
    pub use crate::server::{Doors, Doorway, SWEEP, assemble, run};
}
pub mod service {
    pub use crate::service::{pb, policy};
    pub mod gate {
        pub use crate::service::gate::Gate;
    }
    pub mod identity {
        pub mod organisation {
            pub mod founding {
                pub use crate::service::identity::organisation::founding::{
                    Founder, Founding, found,
                };
            }
        }
        pub mod totp {
            pub use crate::service::identity::totp::code;
        }
    }
    pub mod pass {
        pub mod passes {
            pub use crate::service::pass::passes::Passes;
        }
    }
}
pub mod store {
    pub use crate::store::{Cache, MIGRATIONS, Store, Vault, World, migrate, pool, proven};
    pub mod cache {
        pub use crate::store::cache::{LEASE, Looked, Without};
        pub mod seal {
            pub use crate::store::cache::seal::close;
        }
        pub mod trust {
            pub use crate::store::cache::trust::Epoch;
        }
    }
    pub mod common {
        pub mod notices {
            pub use crate::store::common::notices::{Telling, tell};
            pub mod causes {
                pub use crate::store::common::notices::causes::escalated;
            }
        }
        pub mod outbox {
            pub use crate::store::common::outbox::{Lane, claim};
        }
        pub mod retention {
            pub use crate::store::common::retention::events;
        }
        pub mod world {
            pub use crate::store::common::world::{Key, private_key};
        }
    }
    pub mod duty {
        pub mod calendars {
            pub use crate::store::duty::calendars::{in_force, insert};
        }
        pub mod escalations {
            pub use crate::store::duty::escalations::claim;
        }
        pub mod obligations {
            pub use crate::store::duty::obligations::Cause;
            pub mod recount {
                pub use crate::store::duty::obligations::recount::{Stale, batch};
            }
        }
    }
    pub mod identity {
        pub mod actors {
            pub use crate::store::identity::actors::key;
        }
        pub mod signing_keys {
            pub use crate::store::identity::signing_keys::{ensure, insert};
        }
    }
    pub mod liaison {
        pub mod wakeups {
            pub use crate::store::liaison::wakeups::Woken;
        }
    }
    pub mod pass {
        pub mod plates {
            pub use crate::store::pass::plates::{Answered, Plates};
        }
        pub mod policies {
            pub use crate::store::pass::policies::{ensure_base, insert_policy};
        }
    }
}
pub mod telemetry {
    pub use crate::telemetry::{start, traced};
}
pub mod token {
    pub use crate::token::Access;
}
pub mod web {
    pub use crate::web::{LineLimits, Origins};
}
pub mod worker {
    pub use crate::worker::Worker;
}

//! Gathers what the policy is given for one application: enterprise, vehicle, papers, what stands
//! already. The rules themselves are `domain::policy`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{blacklist, passes, policies};
use crate::{
    actor::Scope,
    domain::{
        duty::month,
        enterprise::EnterpriseState,
        pass::{
            Pass,
            application::Application,
            policy::{
                ActivePass, Ask, AskedZone, AttachmentKind, ClassGrant, EnterpriseFacts, Inputs,
                PassKind, Standing, VehicleFacts, VehiclePapers,
            },
        },
    },
    error::{Error, Flaw, Reason, Result},
    id::{Id, kind},
    store::{common::world::Snapshot, enterprise::attachments},
};

/// What is known of a vehicle, and of its papers.
pub struct Vehicle {
    /// For rules and zones.
    pub facts: VehicleFacts,
    /// Until when its papers hold.
    pub papers: VehiclePapers,
}

/// Everything that the rules read about this application, at this instant.
pub async fn inputs(
    connection: &mut PgConnection,
    application: &Application,
    world: &Snapshot,
    now: Timestamp,
) -> Result<Inputs> {
    let need = &application.need;
    let mut vehicle = vehicle(connection, application.enterprise, application.vehicle).await?;
    let (listed, enterprise_listed) =
        blacklist::is_listed(connection, application.vehicle, application.enterprise, now).await?;
    vehicle.facts.blacklisted = listed;
    let mut enterprise = enterprise(connection, application.enterprise).await?;
    enterprise.blacklisted = enterprise_listed;
    let plate = vehicle.facts.plate.as_str().to_owned();
    let plate_type = vehicle.facts.plate_type.code();
    let holding = passes::holding(connection, &plate, plate_type, now).await?;
    let zones = zones(&need.zones, &vehicle.facts, world, now)?;
    // The place is taken in the period in which the pass begins.
    let begins = month::start_of_day(need.start).max(now);
    let quota_free = policies::free(connection, &need.zones, need.kind, begins).await?;
    let attachments = attachments(connection, application).await?;
    Ok(Inputs {
        enterprise,
        vehicle: vehicle.facts,
        papers: vehicle.papers,
        ask: Ask {
            kind: need.kind,
            zones,
            start: need.start,
            length: need.length(),
            shorten_agreed: need.shorten_agreed,
            cargo: need.cargo,
            attachments,
            e_licences: BTreeSet::new(),
            has_route: !need.route.is_empty(),
            has_time_windows: !need.windows.is_empty(),
            route_on_all_day_road: false,
            has_permit_number: !need.permit_number.is_empty(),
            cross_district: false,
            replaces: application.replaces(),
        },
        standing: Standing {
            active_passes: standing(&holding, need.kind),
            special_period_active: world.special_period(now),
            quota_free,
        },
    })
}

fn standing(holding: &[Pass], kind: PassKind) -> Vec<ActivePass> {
    if !kind.is_long_term() {
        return Vec::new();
    }
    let zones = holding.iter().flat_map(|pass| {
        pass.zones.iter().map(|zone| ActivePass {
            id: pass.id,
            zone: Id::of(*zone),
            valid_until: pass.valid_until,
        })
    });
    zones.collect()
}

fn zones(
    asked: &[Uuid],
    vehicle: &VehicleFacts,
    world: &Snapshot,
    now: Timestamp,
) -> Result<Vec<AskedZone>> {
    let mut zones = Vec::with_capacity(asked.len());
    for (at, id) in asked.iter().enumerate() {
        let id = Id::<kind::Zone>::of(*id);
        let Some(version) = world.zone(id, now) else {
            return Err(Error::field(format!("need.zones[{at}]"), Flaw::UnknownValue));
        };
        zones.push(AskedZone {
            zone: id,
            name: version.zone.name.clone(),
            bans_vehicle: version.zone.subjects(vehicle),
        });
    }
    Ok(zones)
}

/// A vehicle of the enterprise, as rules read it; the blacklist is asked apart.
pub async fn vehicle(
    connection: &mut PgConnection,
    enterprise: Id<kind::Enterprise>,
    id: Id<kind::Vehicle>,
) -> Result<Vehicle> {
    let row = sqlx::query!(
        "select plate_number, plate_type, vehicle_type, energy_type, use_nature, vehicle_states,
            emission_stage, relation, inspection_valid_until, insurance_valid_until, scrapping_date,
            transport_permit_valid_until, contract_valid_until
         from vehicle
         where id = $1 and enterprise_id = $2 and retire_time is null",
        id.uuid(),
        enterprise.uuid()
    )
    .fetch_optional(connection)
    .await?;
    let row = row.ok_or_else(|| Error::new(Reason::Denied).fact("resource", id))?;
    let day = |date: Option<jiff_sqlx::Date>| date.map(Into::into);
    Ok(Vehicle {
        facts: VehicleFacts {
            plate: row.plate_number,
            plate_type: row.plate_type,
            vehicle_type: row.vehicle_type,
            energy: row.energy_type,
            use_nature: row.use_nature,
            states: row.vehicle_states,
            blacklisted: false,
        },
        papers: VehiclePapers {
            inspection_valid_until: row.inspection_valid_until.to_jiff(),
            insurance_valid_until: row.insurance_valid_until.to_jiff(),
            scrapping_date: day(row.scrapping_date),
            transport_permit_valid_until: day(row.transport_permit_valid_until),
            contract_valid_until: day(row.contract_valid_until),
            relation: row.relation,
            emission_stage: u32::try_from(row.emission_stage).ok().filter(|stage| *stage > 0),
        },
    })
}

/// The path of the unit that serves an enterprise within the scope, and the enterprise's state.
pub async fn site(
    connection: &mut PgConnection,
    id: Id<kind::Enterprise>,
    scope: &Scope,
) -> Result<(String, EnterpriseState)> {
    let row = sqlx::query!(
        "select unit_path, state from enterprise
         where id = $1 and ($2 or id = any($3)
            or ($4::text is not null and starts_with(unit_path, $4))
            or id in (select served_by($5)))",
        id.uuid(),
        scope.all,
        &scope.enterprises,
        scope.unit_path,
        scope.serving
    )
    .fetch_optional(connection)
    .await?;
    let row = row.ok_or_else(|| scope.missing(id.subject()))?;
    Ok((row.unit_path, row.state))
}

async fn enterprise(
    connection: &mut PgConnection,
    id: Id<kind::Enterprise>,
) -> Result<EnterpriseFacts> {
    let state = sqlx::query_scalar!("select state from enterprise where id = $1", id.uuid())
        .fetch_one(&mut *connection)
        .await?;
    let grants = sqlx::query!(
        "select id, class, valid_from, least(valid_until, end_time) as \"valid_until!\"
         from class_grant
         where enterprise_id = $1
         order by id",
        id.uuid()
    )
    .fetch_all(connection)
    .await?;
    let grants = grants.into_iter().map(|row| ClassGrant {
        id: Id::of(row.id),
        class: row.class,
        valid_from: row.valid_from.to_jiff(),
        valid_until: row.valid_until.to_jiff(),
    });
    Ok(EnterpriseFacts {
        verified: state.proven(),
        suspended: state == EnterpriseState::Suspended,
        blacklisted: false,
        grants: grants.collect(),
    })
}

/// The kinds of the complete papers that are bound to the application, or will be.
async fn attachments(
    connection: &mut PgConnection,
    application: &Application,
) -> Result<BTreeSet<AttachmentKind>> {
    let ids: Vec<Uuid> = application.attachments.iter().map(|paper| paper.uuid()).collect();
    let kinds = sqlx::query_scalar!(
        "select kind from attachment
         where id = any($1) and enterprise_id = $2 and complete_time is not null",
        &ids,
        application.enterprise.uuid()
    )
    .fetch_all(connection)
    .await?;
    Ok(kinds.iter().filter_map(|kind| AttachmentKind::from_wire(kind)).collect())
}

/// Which of these papers are not complete papers of the enterprise, or have run out.
pub async fn faulty_papers(
    connection: &mut PgConnection,
    application: &Application,
    sight: &attachments::Sight,
    now: Timestamp,
) -> Result<Vec<(usize, Flaw)>> {
    let today = month::local_date(now);
    let ids: Vec<Uuid> = application.attachments.iter().map(|paper| paper.uuid()).collect();
    // A paper that the caller may not read is absent: nobody reads it by filing with it.
    let seen = attachments::seen(connection, &ids, sight, now).await?;
    let rows = sqlx::query!(
        "select id, complete_time is not null as \"complete!\",
            coalesce(valid_until < $3, false) as \"expired!\"
         from attachment
         where id = any($1) and enterprise_id = $2",
        &seen,
        application.enterprise.uuid(),
        today.to_sqlx()
    )
    .fetch_all(connection)
    .await?;
    let fault = |(at, id): (usize, &Uuid)| match rows.iter().find(|row| row.id == *id) {
        None => Some((at, Flaw::UnknownValue)),
        Some(row) if !row.complete => Some((at, Flaw::MaterialMissing)),
        Some(row) if row.expired => Some((at, Flaw::MaterialExpired)),
        Some(_) => None,
    };
    Ok(ids.iter().enumerate().filter_map(fault).collect())
}

/// Refuses an officer who may not review, or whose unit does not reach the enterprise.
pub async fn reviewer_in_reach(
    connection: &mut PgConnection,
    officer: Id<kind::Officer>,
    unit_path: &str,
) -> Result<()> {
    let found = sqlx::query_scalar!(
        "select exists (
            select from officer join unit on unit.id = unit_id
            where officer.id = $1 and disable_time is null and starts_with($2, reach)
                and roles && array['FIRST_REVIEWER', 'FINAL_REVIEWER']
         ) as \"found!\"",
        officer.uuid(),
        unit_path
    )
    .fetch_one(connection)
    .await?;
    if found { Ok(()) } else { Err(Error::field("officer", Flaw::UnknownValue)) }
}

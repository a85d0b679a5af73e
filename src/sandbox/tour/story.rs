//! The scenes of the tour, in order.

use anyhow::{Context as _, ensure};
use jiff::SignedDuration;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tonic::Status;
use tonic_types::StatusExt as _;

use super::{Stage, people::Person, say, scene};
use crate::{
    domain::{
        duty::month,
        pass::{pass_code, qr::QrPicture},
    },
    sandbox::city,
    service::pb::{self, check_pass_request::Observed, pass_check},
};

/// What later scenes need of earlier ones.
pub(super) struct Truck {
    pub(super) enterprise: String,
    vehicle: String,
    plate: String,
    papers: Vec<String>,
    zone: String,
}

/// Tells the whole story.
pub(super) async fn tell(stage: &Stage) -> anyhow::Result<()> {
    say("警企通导览:一张货车通行证,从申请到卡口");
    let boss = stage.person(city::BOSS).await?;
    let truck = garage(stage, &boss).await?;
    let application = apply(stage, &boss, &truck).await?;
    let pass = decide(stage, &boss, application).await?;
    let driver = bind_driver(stage, &boss, &truck).await?;
    let code = show(&driver, &pass).await?;
    let administrator = stage.officer(&city::SYSTEM).await?;
    let checkpoints = administrator.organisation();
    let checkpoints = checkpoints.clone().list_checkpoints(pb::ListCheckpointsRequest {}).await?;
    let checkpoint = checkpoints.into_inner().checkpoints.into_iter().next().context("没有卡口")?;
    let device = stage.device(&administrator, &checkpoint.name).await?;
    drive_through(&device, &truck, &code).await?;
    forge(&device, &truck, &code).await?;
    grow_stale(stage, &device, &truck, &code).await?;
    revoke(stage, &driver, &device, &truck, pass).await?;
    say("\n导览结束。每一步都可在 API 中重做:deploy/run --help");
    Ok(())
}

pub(super) async fn garage(stage: &Stage, boss: &Person) -> anyhow::Result<Truck> {
    scene(1, "企业登记,登记车辆,上传材料");
    let enterprise = enterprise(stage, boss).await?;
    say(&format!("  {}({})", enterprise.display_name, enterprise.uscc));
    for grant in &enterprise.class_grants {
        say(&format!("  企业类别:{},依据:{}", grant.class().as_str_name(), grant.source_document));
    }
    let digits = u32::from_le_bytes(stage.ids.bytes()) % 90_000;
    let plate = format!("苏N{}", digits.saturating_add(10_000));
    let request = pb::CreateVehicleRequest {
        vehicle: Some(new_truck(stage, &enterprise.name, &plate)),
        ..pb::CreateVehicleRequest::default()
    };
    let vehicle = boss.enterprises().create_vehicle(request).await?.into_inner();
    say(&format!("  车辆 {plate} 已入车库(重型厢式货车)"));
    let wrong = pb::CreateVehicleRequest {
        vehicle: Some(pb::Vehicle {
            plate_number: "苏NI2345".to_owned(),
            vin: "123".to_owned(),
            gross_mass_kg: 0,
            ..new_truck(stage, &enterprise.name, &plate)
        }),
        ..pb::CreateVehicleRequest::default()
    };
    told(
        "填错的车辆,一次性告知全部错误",
        boss.enterprises().create_vehicle(wrong).await.map(|_| ()),
    )?;
    let mut papers = Vec::new();
    for kind in ["VEHICLE_LICENCE", "INSURANCE", "TRANSPORT_CONTRACT"] {
        papers.push(paper(boss, &enterprise.name, kind).await?);
    }
    say("  行驶证、交强险、运输合同已分块上传并校验");
    let zones = boss.passes().list_zones(pb::ListZonesRequest {}).await?.into_inner().zones;
    let zone = zones.into_iter().find(|zone| zone.code == 1);
    let zone = zone.context("演示城市未加载:deploy/run demo city")?;
    for rule in &zone.rules_text {
        say(&format!("  {}:{rule}", zone.display_name));
    }
    Ok(Truck { enterprise: enterprise.name, vehicle: vehicle.name, plate, papers, zone: zone.name })
}

/// The demo enterprise: registered, verified and classed by the first tour.
pub(super) async fn enterprise(stage: &Stage, boss: &Person) -> anyhow::Result<pb::Enterprise> {
    let mut client = boss.enterprises();
    let listed = client.list_enterprises(pb::ListEnterprisesRequest::default()).await?;
    if let Some(known) = listed.into_inner().enterprises.into_iter().next() {
        return Ok(known);
    }
    prove(stage, boss, city::BOSS, "13905240000").await?;
    let create = pb::CreateEnterpriseRequest {
        enterprise: Some(pb::Enterprise {
            uscc: "91321300MA1ABCDE8U".to_owned(),
            display_name: "宿迁演示物流有限公司".to_owned(),
            division_code: "321302".to_owned(),
            ..Default::default()
        }),
        legal_representative_name: "王大勇".to_owned(),
        legal_representative_id: "321302199202290014".to_owned(),
        licence: paper(boss, "", "BUSINESS_LICENCE").await?,
        ..Default::default()
    };
    let created = client.create_enterprise(create).await?.into_inner();
    say(&format!("  已登记,待核验:法定代表人 {}", created.legal_representative));
    let clerk = stage.officer(&city::CLERK).await?;
    let prepare = pb::PrepareEnterpriseRequest {
        name: created.name.clone(),
        note: "营业执照与填报内容一致".to_owned(),
        etag: created.etag,
        ..Default::default()
    };
    let prepared = clerk.enterprises().prepare_enterprise(prepare).await?.into_inner();
    let verify = pb::VerifyEnterpriseRequest {
        name: created.name.clone(),
        note: "已核对营业执照和法定代表人身份".to_owned(),
        etag: prepared.etag,
        ..Default::default()
    };
    let reviewer = stage.officer(&city::SECOND_REVIEWER).await?;
    reviewer.enterprises().verify_enterprise(verify).await?;
    let now = stage.clock.now();
    let stamp = |at: jiff::Timestamp| prost_types::Timestamp { seconds: at.as_second(), nanos: 0 };
    let until = now.saturating_add(SignedDuration::from_hours(24 * 365))?;
    let grant = pb::GrantEnterpriseClassRequest {
        enterprise: created.name.clone(),
        class_grant: Some(pb::EnterpriseClassGrant {
            class: pb::EnterpriseClass::AboveDesignatedSize.into(),
            source_document: "2026年规模以上企业名录(演示)".to_owned(),
            valid_from: Some(stamp(now)),
            valid_until: Some(stamp(until)),
            ..Default::default()
        }),
        ..Default::default()
    };
    reviewer.enterprises().grant_enterprise_class(grant).await?;
    say("  窗口已核对材料,民警已核验;民警依名录认定为规模以上企业");
    let get = pb::GetEnterpriseRequest { name: created.name };
    Ok(client.get_enterprise(get).await?.into_inner())
}

fn new_truck(stage: &Stage, enterprise: &str, plate: &str) -> pb::Vehicle {
    let far = month::add_months_clamped(month::local_date(stage.clock.now()), 20).to_string();
    pb::Vehicle {
        enterprise: enterprise.to_owned(),
        plate_number: plate.to_owned(),
        plate_type: "01".to_owned(),
        vehicle_type: "H12".to_owned(),
        use_nature: "F".to_owned(),
        energy_type: "B".to_owned(),
        vin: "LZZ1CLNBXNA000001".to_owned(),
        body_colour: "A".to_owned(),
        gross_mass_kg: 18_000,
        kerb_mass_kg: 8_000,
        rated_load_kg: 9_900,
        outer_length_mm: 9_000,
        outer_width_mm: 2_500,
        outer_height_mm: 3_500,
        emission_stage: 6,
        inspection_valid_until: far.clone(),
        insurance_valid_until: far,
        relation: pb::vehicle::Relation::Owned.into(),
        ..pb::Vehicle::default()
    }
}

async fn paper(person: &Person, enterprise: &str, kind: &str) -> anyhow::Result<String> {
    let content = [b"%PDF-1.7\n% ".as_slice(), kind.as_bytes(), &vec![b' '; 40_000]].concat();
    let request = pb::CreateAttachmentRequest {
        attachment: Some(pb::Attachment {
            enterprise: enterprise.to_owned(),
            kind: kind.to_owned(),
            content_type: "application/pdf".to_owned(),
            size_bytes: i64::try_from(content.len())?,
            sha256: Sha256::digest(&content).to_vec(),
            file_name: format!("{kind}.pdf"),
            ..pb::Attachment::default()
        }),
        ..pb::CreateAttachmentRequest::default()
    };
    let mut client = person.applications();
    let name = client.create_attachment(request).await?.into_inner().name;
    let mut offset = 0;
    for chunk in content.chunks(32 * 1024) {
        let request =
            pb::UploadAttachmentChunkRequest { name: name.clone(), offset, data: chunk.to_vec() };
        offset = client.upload_attachment_chunk(request).await?.into_inner().received_bytes;
    }
    client.complete_attachment(pb::CompleteAttachmentRequest { name: name.clone() }).await?;
    Ok(name)
}

fn wanted(stage: &Stage, truck: &Truck, months: i32) -> pb::PassApplication {
    pb::PassApplication {
        enterprise: truck.enterprise.clone(),
        vehicle: truck.vehicle.clone(),
        need: Some(pb::PassNeed {
            pass_kind: pb::PassKind::LongTermDelivery.into(),
            zones: vec![truck.zone.clone()],
            goods: "白酒包装材料".to_owned(),
            reason: "向园区酒厂送货".to_owned(),
            loading_place: "宿城区".to_owned(),
            unloading_place: "洋河新区".to_owned(),
            time_windows: vec![pb::TimeWindow {
                weekdays: vec![],
                from_minute: 0,
                until_minute: 1_440,
            }],
            start_date: month::local_date(stage.clock.now()).to_string(),
            months,
            ..pb::PassNeed::default()
        }),
        declaration_accepted: true,
        attachments: truck.papers.clone(),
        ..pb::PassApplication::default()
    }
}

pub(super) async fn apply(
    stage: &Stage,
    boss: &Person,
    truck: &Truck,
) -> anyhow::Result<pb::PassApplication> {
    scene(2, "申请通行证(二十项措施第6条)");
    let dry = pb::CreatePassApplicationRequest {
        pass_application: Some(wanted(stage, truck, 12)),
        validate_only: true,
        ..pb::CreatePassApplicationRequest::default()
    };
    let verdict = boss.applications().create_pass_application(dry).await?.into_inner();
    say("  试算 12 个月(不落库):");
    explain(verdict.evaluation.as_ref());
    let request = pb::CreatePassApplicationRequest {
        pass_application: Some(wanted(stage, truck, 6)),
        ..pb::CreatePassApplicationRequest::default()
    };
    let draft = boss.applications().create_pass_application(request).await?.into_inner();
    let submit = pb::SubmitPassApplicationRequest { name: draft.name, ..Default::default() };
    let submitted = boss.applications().submit_pass_application(submit).await?.into_inner();
    say(&format!("  申请 {} 已提交,状态 {}", submitted.number, submitted.state().as_str_name()));
    Ok(submitted)
}

pub(super) async fn decide(
    stage: &Stage,
    boss: &Person,
    application: pb::PassApplication,
) -> anyhow::Result<pb::TruckPass> {
    scene(3, "民警受理、要求补正,企业补正,民警批准");
    let reviewer = stage.officer(&city::FIRST_REVIEWER).await?;
    let mut desk = reviewer.applications();
    let name = application.name;
    let accept = pb::AcceptPassApplicationRequest { name: name.clone(), ..Default::default() };
    let accepted = desk.accept_pass_application(accept).await?.into_inner();
    if let Some(due) = accepted.due_time {
        let due = jiff::Timestamp::from_second(due.seconds)?.to_zoned(month::shanghai());
        say(&format!("  已受理,承诺办结:{}(工作日历含调休)", due.strftime("%Y-%m-%d %H:%M")));
    }
    let correct = pb::RequestPassApplicationCorrectionRequest {
        name: name.clone(),
        items: vec![
            correction("need.route", "请写明通行线路"),
            correction("need.goods", "请写明货物数量"),
        ],
        etag: accepted.etag,
        ..Default::default()
    };
    let asked = desk.request_pass_application_correction(correct).await?.into_inner();
    for item in &asked.corrections {
        say(&format!("  需补正:{}({})", item.text, item.field));
    }
    let mut edited = asked;
    if let Some(need) = edited.need.as_mut() {
        need.route = vec!["洋河大道".to_owned(), "南大街".to_owned()];
        "白酒包装材料,每日约5吨".clone_into(&mut need.goods);
    }
    let update =
        pb::UpdatePassApplicationRequest { pass_application: Some(edited), ..Default::default() };
    boss.applications().update_pass_application(update).await?;
    let submit = pb::SubmitPassApplicationRequest { name: name.clone(), ..Default::default() };
    boss.applications().submit_pass_application(submit).await?;
    say("  企业已补正并重新提交,排队时间不清零");
    let accept = pb::AcceptPassApplicationRequest { name: name.clone(), ..Default::default() };
    desk.accept_pass_application(accept).await?;
    let claim = pb::ClaimPassApplicationRequest { name: name.clone(), ..Default::default() };
    let held = desk.claim_pass_application(claim).await?.into_inner();
    explain(held.evaluation.as_ref());
    let approve = pb::ApprovePassApplicationRequest {
        name,
        note: "材料齐全".to_owned(),
        etag: held.etag,
        ..Default::default()
    };
    let approved = desk.approve_pass_application(approve).await?.into_inner();
    let get = pb::GetTruckPassRequest { name: approved.truck_pass };
    let pass = boss.passes().get_truck_pass(get).await?.into_inner();
    say(&format!("  已批准:通行证 {},有效至 {}", pass.number, pass.last_valid_day));
    Ok(pass)
}

fn correction(field: &str, text: &str) -> pb::CorrectionItem {
    pb::CorrectionItem { field: field.to_owned(), text: text.to_owned() }
}

async fn bind_driver(stage: &Stage, boss: &Person, truck: &Truck) -> anyhow::Result<Person> {
    scene(4, "驾驶人凭手机号和号牌认领车辆");
    let digits = u32::from_le_bytes(stage.ids.bytes()) % 100_000_000;
    let phone = format!("139{digits:08}");
    let add = pb::AddDriverRequest {
        vehicle: truck.vehicle.clone(),
        full_name: "赵师傅".to_owned(),
        phone: phone.clone(),
        ..Default::default()
    };
    let named = boss.enterprises().add_driver(add).await?.into_inner();
    say(&format!("  企业指定驾驶人 {} {}", named.display_name, named.phone));
    let user = format!("driver-{digits:08}");
    let driver = stage.person(&user).await?;
    prove(stage, &driver, &user, &phone).await?;
    let claim = pb::ClaimVehicleRequest {
        plate_number: truck.plate.clone(),
        plate_type: "01".to_owned(),
        ..Default::default()
    };
    driver.enterprises().claim_vehicle(claim).await?;
    say(&format!("  驾驶人已认领 {}", truck.plate));
    Ok(driver)
}

/// A person proves a phone with WeChat's button.
async fn prove(stage: &Stage, person: &Person, user: &str, phone: &str) -> anyhow::Result<()> {
    let body = json!({ "user": user, "phone": phone });
    let wechat_code = stage.sandbox_code("/sandbox/phone_codes", &body).await?;
    let verify = pb::VerifyPhoneRequest {
        proof: Some(pb::verify_phone_request::Proof::WechatCode(wechat_code)),
    };
    person.identity().verify_phone(verify).await?;
    Ok(())
}

async fn show(driver: &Person, pass: &pb::TruckPass) -> anyhow::Result<pb::PassCode> {
    scene(5, "驾驶人出示动态通行码");
    let request = pb::IssuePassCodeRequest { name: pass.name.clone(), ..Default::default() };
    let code = driver.passes().issue_pass_code(request).await?.into_inner();
    say(&QrPicture::of(&code.text)?.terminal());
    say(&format!("  QR 版本 {},{} 个字符;30 秒刷新,90 秒失效", code.qr_version, code.text.len()));
    Ok(code)
}

async fn check(device: &Person, code: &str, plate: &str) -> anyhow::Result<pb::PassCheck> {
    let request = pb::CheckPassRequest {
        observed: Some(Observed::Code(code.to_owned())),
        direction: pass_check::Direction::Inbound.into(),
        observed_plate_number: plate.to_owned(),
        ..pb::CheckPassRequest::default()
    };
    let checked = device.checks().check_pass(request).await?.into_inner();
    say(&format!(
        "  {} / {}:{}",
        checked.verdict().as_str_name(),
        checked.outcome().as_str_name(),
        checked.reasons.join(";")
    ));
    Ok(checked)
}

async fn drive_through(device: &Person, truck: &Truck, code: &pb::PassCode) -> anyhow::Result<()> {
    scene(6, "卡口扫码核验");
    let checked = check(device, &code.text, &truck.plate).await?;
    ensure!(checked.verdict() == pass_check::Verdict::Valid, "应当放行");
    for line in &checked.compare {
        say(&format!("  请比对:{line}"));
    }
    if let Some(data) = &checked.data_as_of {
        say(&format!("  依据:政策 {},数据版本 {}", data.policy_version, data.standing_version));
    }
    let action = pb::RecordCheckActionRequest {
        name: checked.name,
        action: pass_check::Action::Release.into(),
        ..Default::default()
    };
    device.checks().record_check_action(action).await?;
    say("  已记录:放行");
    say("  同一通行码,另一辆车:");
    let other = check(device, &code.text, "苏N00001").await?;
    ensure!(other.outcome() == pass_check::Outcome::PlateMismatch, "应当识别套用");
    Ok(())
}

async fn forge(device: &Person, truck: &Truck, code: &pb::PassCode) -> anyhow::Result<()> {
    scene(7, "伪造、篡改的通行码");
    let body = code.text.strip_prefix(pass_code::PREFIX).context("通行码前缀")?;
    let mut bytes = base45::decode(body)?;
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    let forged = format!("{}{}", pass_code::PREFIX, base45::encode(bytes));
    let checked = check(device, &forged, &truck.plate).await?;
    ensure!(checked.outcome() == pass_check::Outcome::SignatureInvalid, "应当识别伪造");
    Ok(())
}

async fn grow_stale(
    stage: &Stage,
    device: &Person,
    truck: &Truck,
    code: &pb::PassCode,
) -> anyhow::Result<()> {
    scene(8, "截屏:超过 90 秒的动态码");
    if stage.no_wait {
        say("  (已按要求跳过等待)");
        return Ok(());
    }
    let stale = code.stale_time.context("动态码没有失效时间")?.seconds;
    loop {
        let left = stale.saturating_add(1).saturating_sub(stage.clock.now().as_second());
        if left <= 0 {
            break;
        }
        say(&format!("  还需等待 {left} 秒……"));
        let nap = SignedDuration::from_secs(left.min(15)).unsigned_abs();
        tokio::time::sleep(nap).await;
    }
    let checked = check(device, &code.text, &truck.plate).await?;
    ensure!(checked.outcome() == pass_check::Outcome::CodeStale, "应当识别过时的码");
    Ok(())
}

async fn revoke(
    stage: &Stage,
    driver: &Person,
    device: &Person,
    truck: &Truck,
    pass: pb::TruckPass,
) -> anyhow::Result<()> {
    scene(9, "撤销通行证,下一次核验立即拦截");
    let request = pb::IssuePassCodeRequest { name: pass.name.clone(), ..Default::default() };
    let genuine = driver.passes().issue_pass_code(request.clone()).await?.into_inner();
    let chief = stage.officer(&city::FINAL_REVIEWER).await?;
    let annul = pb::EndTruckPassRequest {
        name: pass.name,
        reason_code: "FALSE_INFORMATION".to_owned(),
        note: "运输合同系伪造(演示)".to_owned(),
        etag: pass.etag,
        ..Default::default()
    };
    chief.passes().annul_truck_pass(annul).await?;
    say("  支队民警已撤销(行政许可法第69条)");
    let checked = check(device, &genuine.text, &truck.plate).await?;
    ensure!(checked.outcome() == pass_check::Outcome::Revoked, "应当立即拦截");
    let action = pb::RecordCheckActionRequest {
        name: checked.name,
        action: pass_check::Action::TurnBack.into(),
        ..Default::default()
    };
    device.checks().record_check_action(action).await?;
    say("  已记录:劝返");
    told("驾驶人再要通行码", driver.passes().issue_pass_code(request).await.map(|_| ()))
}

/// What the rules say, as the applicant reads it.
fn explain(evaluation: Option<&pb::Evaluation>) {
    let Some(evaluation) = evaluation else { return };
    say(&format!(
        "  规则结论 {},至 {},审批 {} 级,政策 {}",
        evaluation.outcome,
        evaluation.last_valid_day,
        evaluation.review_steps,
        evaluation.policy_version
    ));
    for finding in &evaluation.findings {
        say(&format!("    {} {}", finding.rule, finding.text));
    }
}

/// A refusal as a client is told it; anything else ends the tour.
fn told(what: &str, answer: Result<(), Status>) -> anyhow::Result<()> {
    let status = answer.err().with_context(|| format!("{what}:本应被拒绝"))?;
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    say(&format!("  {what}:{}({reason})", status.message()));
    let fields = details.bad_request().map(|bad| bad.field_violations.clone());
    for field in fields.unwrap_or_default() {
        say(&format!("    {}:{}({})", field.field, field.description, field.reason));
    }
    Ok(())
}

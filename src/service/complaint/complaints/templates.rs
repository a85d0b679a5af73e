//! Answers that are written once and used often, per category (CO-18).

use super::Complaints;
use crate::{
    context::Cx,
    domain::complaint::Category,
    error::{Faults, Flaw, Result},
    service::{pb, wire},
    store::{
        complaint::answer_templates::{self, AnswerTemplate},
        identity::units,
    },
};

/// The longest title, and the longest answer, in characters.
const TITLE_CHARACTERS_MAX: usize = 60;
const TEXT_CHARACTERS_MAX: usize = 4_000;

impl Complaints {
    pub(super) async fn create_answer_template(
        &self,
        cx: &Cx,
        request: pb::CreateAnswerTemplateRequest,
    ) -> Result<pb::AnswerTemplate> {
        let sworn = cx.actor.sworn()?;
        let form = request.answer_template.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let category = Category::from_wire(form.category().as_str_name()).ok_or(Flaw::Required);
        let category = faults.take("answer_template.category", category);
        let title = wire::text(&form.title, TITLE_CHARACTERS_MAX);
        let title = faults.take("answer_template.title", title);
        let text = wire::text(&form.text, TEXT_CHARACTERS_MAX);
        let text = faults.take("answer_template.text", text);
        let (category, title, text) = faults.whole((category, title, text))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let unit = units::get(tx.conn(), sworn.unit, &cx.scope()).await?;
            let (id, unit_path) = (cx.id(), unit.path);
            let template = AnswerTemplate { id, unit: unit.id, unit_path, category, title, text };
            answer_templates::insert(tx, &template, sworn.officer).await?;
            Ok(reply(template))
        })
        .await
    }

    pub(super) async fn list_answer_templates(
        &self,
        cx: &Cx,
        request: pb::ListAnswerTemplatesRequest,
    ) -> Result<pb::ListAnswerTemplatesResponse> {
        let unit = cx.actor.sworn()?.unit;
        let category = Category::from_wire(request.category().as_str_name());
        let mut connection = self.store.read().await?;
        let found = answer_templates::list(&mut connection, unit, category).await?;
        let answer_templates = found.into_iter().map(reply).collect();
        Ok(pb::ListAnswerTemplatesResponse { answer_templates })
    }

    pub(super) async fn retire_answer_template(
        &self,
        cx: &Cx,
        request: pb::RetireAnswerTemplateRequest,
    ) -> Result<pb::AnswerTemplate> {
        cx.actor.sworn()?;
        let id = wire::named(&request.name)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let template = answer_templates::retire(tx, id, &cx.scope()).await?;
            Ok(reply(template))
        })
        .await
    }
}

fn reply(template: AnswerTemplate) -> pb::AnswerTemplate {
    let category = wire::enumerated::<pb::complaint::Category>(template.category);
    pb::AnswerTemplate {
        name: template.id.to_string(),
        unit: template.unit.to_string(),
        category,
        title: template.title,
        text: template.text,
    }
}

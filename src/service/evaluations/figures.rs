//! The figures of the service desk (CO-21): on time, first time, solved, satisfied; as an answer and
//! as a table. A number under three is never told, since it would tell of whom it counts.

use super::Evaluations;
use crate::{
    context::Cx,
    domain::{
        complaint::Category,
        evaluation::{Figure, Figures},
    },
    error::{Error, Faults, Flaw, Reason, Result},
    service::{pb, wire},
    store::evaluations::{self, Grouping},
};

/// The heading of the table.
const HEADING: &str = "分组,受理,办结反馈,按期反馈,一次办结,已评价,满意,实际解决";

impl Evaluations {
    pub(super) async fn get_service_figures(
        &self,
        cx: &Cx,
        request: pb::GetServiceFiguresRequest,
    ) -> Result<pb::ServiceFigures> {
        let rows = self.figures(cx, &request).await?.into_iter().map(row).collect();
        Ok(pb::ServiceFigures { rows })
    }

    pub(super) async fn export_service_figures(
        &self,
        cx: &Cx,
        request: pb::GetServiceFiguresRequest,
    ) -> Result<pb::ExportServiceFiguresResponse> {
        let figures = self.figures(cx, &request).await?;
        let lines = figures.iter().map(line);
        let lines: Vec<_> = std::iter::once(HEADING.to_owned()).chain(lines).collect();
        Ok(pb::ExportServiceFiguresResponse { csv: format!("\u{feff}{}\r\n", lines.join("\r\n")) })
    }

    async fn figures(
        &self,
        cx: &Cx,
        request: &pb::GetServiceFiguresRequest,
    ) -> Result<Vec<Figures>> {
        use pb::get_service_figures_request::Grouping as Wire;
        let mut faults = Faults::new();
        let from = faults.take("from_time", wire::instant(request.from_time));
        let until = faults.take("until_time", wire::instant(request.until_time));
        let grouping = match request.grouping() {
            Wire::Unspecified => Err(Flaw::Required),
            Wire::Unit => Ok(Grouping::Unit),
            Wire::Category => Ok(Grouping::Category),
            Wire::Month => Ok(Grouping::Month),
        };
        let grouping = faults.take("grouping", grouping);
        let ordered = from.zip(until).is_none_or(|(from, until)| from < until);
        faults.check(ordered, "until_time", Flaw::OutOfRange);
        faults.done()?;
        let (Some(from), Some(until), Some(grouping)) = (from, until, grouping) else {
            return Err(Error::new(Reason::RequestInvalid));
        };
        let mut connection = self.store.read().await?;
        evaluations::figures(&mut connection, grouping, from, until, &cx.scope()).await
    }
}

fn count(figure: Figure) -> pb::service_figures::Count {
    pb::service_figures::Count {
        value: figure.shown().unwrap_or_default(),
        hidden: figure.shown().is_none(),
    }
}

fn row(figures: Figures) -> pb::service_figures::Row {
    pb::service_figures::Row {
        filed: Some(count(figures.filed)),
        answered: Some(count(figures.answered)),
        on_time: Some(count(figures.on_time)),
        first_time: Some(count(figures.first_time)),
        rated: Some(count(figures.rated)),
        satisfied: Some(count(figures.satisfied)),
        solved: Some(count(figures.solved)),
        group: figures.group,
    }
}

fn line(figures: &Figures) -> String {
    let numbers = figures.numbers().map(|figure| match figure.shown() {
        Some(value) => value.to_string(),
        None => "<3".to_owned(),
    });
    // A category is told by its name; units and months are names already.
    let category = Category::from_wire(&figures.group);
    let group = category.map_or(figures.group.as_str(), |category| category.zh());
    format!("{},{}", cell(group), numbers.join(","))
}

/// A cell that a spreadsheet reads as text, whatever it begins with.
fn cell(text: &str) -> String {
    let guarded =
        if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    format!("\"{}\"", guarded.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("a\"b"), "\"a\"\"b\"");
    }
}

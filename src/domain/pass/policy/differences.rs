//! What differs between two versions of the policy's values, value by value: what whoever confirms a
//! version is shown.

use serde_json::Value;

use super::values::PolicyValues;

/// Longer values are cut: the request itself is kept whole.
const CHARACTERS_MAX: usize = 200;

/// Each value that differs, with its field, as it is and as it would be.
#[must_use]
pub fn differences(present: Option<&PolicyValues>, proposed: &PolicyValues) -> Vec<String> {
    let flat = |values: &PolicyValues| {
        let mut flat = Vec::new();
        flatten("", &serde_json::to_value(values).unwrap_or_default(), &mut flat);
        flat
    };
    let before = present.map(flat).unwrap_or_default();
    let after = flat(proposed);
    let line = |(path, value): &(String, Value)| {
        let known = before.iter().find(|(other, _)| other == path).map(|(_, value)| value);
        match known {
            Some(known) if known == value => None,
            Some(known) => Some(format!("{path}:{} → {}", told(known), told(value))),
            None => Some(format!("{path}:{}", told(value))),
        }
    };
    after.iter().filter_map(line).collect()
}

/// The leaves with their paths; a list is a leaf.
fn flatten(path: &str, value: &Value, flat: &mut Vec<(String, Value)>) {
    if let Value::Object(fields) = value {
        for (name, value) in fields {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            flatten(&path, value, flat);
        }
    } else {
        flat.push((path.to_owned(), value.clone()));
    }
}

fn told(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= CHARACTERS_MAX {
        return text;
    }
    let cut: String = text.chars().take(CHARACTERS_MAX).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::differences;
    use crate::domain::pass::policy::PolicyValues;

    #[test]
    fn what_differs_is_told_with_its_field() {
        let present = PolicyValues::measure_6();
        let mut next = present.clone();
        next.days_temporary_max = 5;
        next.automatic_approval.enabled = true;
        assert_eq!(
            differences(Some(&present), &next),
            ["automatic_approval.enabled:false → true", "days_temporary_max:3 → 5"]
        );
        assert!(differences(Some(&present), &present).is_empty());
        assert!(differences(None, &present).len() > 20);
    }
}
